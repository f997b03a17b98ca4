"""Loops that the hosts lack."""

from .resumable_train_loops import ResumableEpochBasedTrainLoop, ResumableIterBasedTrainLoop
from .student_teacher_val_loop import StudentTeacherValLoop

__all__ = ['ResumableEpochBasedTrainLoop', 'ResumableIterBasedTrainLoop', 'StudentTeacherValLoop']
