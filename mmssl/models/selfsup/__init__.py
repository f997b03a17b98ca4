"""Self-supervised models that the hosts lack or do differently."""

from .simclr import SimCLR

__all__ = ['SimCLR']
