from .patches import PatchDataPreprocessor

__all__ = ['PatchDataPreprocessor']
