"""Hooks of the training and test loops."""

from .class_weight_hook import ClassWeightHook
from .fold_norm_hook import FoldNormHook
from .freeze_hook import FreezeHook
from .lottery_ticket_hook import LotteryTicketHook
from .picture_hook import PictureHook
from .strict_load_hook import StrictLoadHook
from .weight_transfer_hook import WeightTransferHook

__all__ = [
    'ClassWeightHook',
    'FoldNormHook',
    'FreezeHook',
    'LotteryTicketHook',
    'PictureHook',
    'StrictLoadHook',
    'WeightTransferHook',
]
