from .multi_task import MultiTaskDataPreprocessor
from .paired import PairedDataPreprocessor
from .patches import PatchDataPreprocessor

__all__ = ['MultiTaskDataPreprocessor', 'PairedDataPreprocessor', 'PatchDataPreprocessor']
