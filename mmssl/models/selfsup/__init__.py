"""Self-supervised models that the hosts lack or do differently."""

from .erasing import BatchRandomErasing, BatchRandomPatchedErasing
from .pixpro import PixPro
from .simclr import NTXentSimCLR

__all__ = ['BatchRandomErasing', 'BatchRandomPatchedErasing', 'NTXentSimCLR', 'PixPro']
