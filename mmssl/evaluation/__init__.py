from .colorization_error import ColorizationError
from .per_class_iou import PerClassIoUMetric

__all__ = ['ColorizationError', 'PerClassIoUMetric']
