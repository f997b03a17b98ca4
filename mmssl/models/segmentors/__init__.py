from .multi_task import MultiTaskSegmentor
from .semi_supervised import SemiSupervisedSegmentor

__all__ = ['MultiTaskSegmentor', 'SemiSupervisedSegmentor']
