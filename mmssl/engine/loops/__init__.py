"""Loops that the hosts lack."""

from .student_teacher_val_loop import StudentTeacherValLoop

__all__ = ['StudentTeacherValLoop']
