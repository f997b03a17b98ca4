from .semi_supervised import SemiSupervisedSegmentor

__all__ = ['SemiSupervisedSegmentor']
