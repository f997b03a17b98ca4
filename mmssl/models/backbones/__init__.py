from .erfnet import ERFNetEncoder

__all__ = ['ERFNetEncoder']
