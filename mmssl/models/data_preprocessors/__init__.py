from .paired import PairedDataPreprocessor
from .patches import PatchDataPreprocessor

__all__ = ['PairedDataPreprocessor', 'PatchDataPreprocessor']
