"""Hooks of the training and test loops."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .class_share_hook import ClassShareHook
from .class_weight_hook import ClassWeightHook
from .fold_norm_hook import FoldNormHook
from .freeze_hook import FreezeHook
from .lottery_ticket_hook import LotteryTicketHook
from .mean_teacher_hook import MeanTeacherHook
from .mix_picture_hook import MixPictureHook
from .momentum_bn_hook import MomentumBNHook
from .multi_task_hook import MultiTaskHook
from .non_finite_loss_hook import NonFiniteLossHook
from .paired_data_check_hook import PairedDataCheckHook
from .partial_load_hook import PartialLoadHook
from .picture_hook import PictureHook
from .pixel_health_hook import PixelHealthHook
from .pixel_picture_hook import PixelPictureHook
from .preemption_hook import PreemptionHook
from .pseudo_label_hook import PseudoLabelHook
from .resume_check_hook import ResumeCheckHook
from .strict_load_hook import StrictLoadHook
from .weight_transfer_hook import WeightTransferHook

__all__ = [
    'AtomicCheckpointHook',
    'ClassShareHook',
    'ClassWeightHook',
    'FoldNormHook',
    'FreezeHook',
    'LotteryTicketHook',
    'MeanTeacherHook',
    'MixPictureHook',
    'MomentumBNHook',
    'MultiTaskHook',
    'NonFiniteLossHook',
    'PairedDataCheckHook',
    'PartialLoadHook',
    'PictureHook',
    'PixelHealthHook',
    'PixelPictureHook',
    'PreemptionHook',
    'PseudoLabelHook',
    'ResumeCheckHook',
    'StrictLoadHook',
    'WeightTransferHook',
]
