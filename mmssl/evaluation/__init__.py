from .colorization_error import ColorizationError
from .cutout_similarity import CutoutSimilarityMetric
from .per_class_iou import PerClassIoUMetric
from .reconstruction_error import ReconstructionError

__all__ = ['ColorizationError', 'CutoutSimilarityMetric', 'PerClassIoUMetric', 'ReconstructionError']
