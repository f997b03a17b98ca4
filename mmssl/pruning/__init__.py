"""Lottery tickets: which weights are pruned, how they are held at zero, and what that saves."""

from .compressed import compress, decompress
from .criteria import CRITERIA, score_weights
from .holding import MaskHolder, apply_masks
from .masks import prune_masks
from .schedule import round_sparsity
from .selection import select_weights
from .sparsity import LayerSparsity, measure_sparsity
from .ticket import RewindPoint, Ticket, find_masks

__all__ = [
    'CRITERIA',
    'LayerSparsity',
    'MaskHolder',
    'RewindPoint',
    'Ticket',
    'apply_masks',
    'compress',
    'decompress',
    'find_masks',
    'measure_sparsity',
    'prune_masks',
    'round_sparsity',
    'score_weights',
    'select_weights',
]
