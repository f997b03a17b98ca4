"""Self-supervised models that the hosts lack or do differently."""

from .simclr import NTXentSimCLR

__all__ = ['NTXentSimCLR']
