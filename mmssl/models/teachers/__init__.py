from .distribution_alignment import DistributionAlignment
from .mean_teacher import MeanTeacher

__all__ = ['DistributionAlignment', 'MeanTeacher']
