"""Heads of pretext tasks."""

from .nt_xent_head import NTXentHead
from .pretext_cls_head import PretextClsHead

__all__ = ['NTXentHead', 'PretextClsHead']
