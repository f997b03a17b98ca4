from .colorization_error import ColorizationError
from .cutout_similarity import CutoutSimilarityMetric
from .per_class_iou import PerClassIoUMetric

__all__ = ['ColorizationError', 'CutoutSimilarityMetric', 'PerClassIoUMetric']
