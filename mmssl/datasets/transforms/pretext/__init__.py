"""Targets of pretext tasks, made from the image itself."""

from .colorization import ColorizationTarget
from .denoising import DenoisingTarget
from .inpainting import InpaintingTarget
from .jigsaw import JigsawTarget
from .otsu_clusters import OtsuTarget
from .pack_pretext_inputs import PackPretextInputs
from .relative_patch import RelativePatchTarget
from .rotation import RotationTarget

__all__ = [
    'ColorizationTarget',
    'DenoisingTarget',
    'InpaintingTarget',
    'JigsawTarget',
    'OtsuTarget',
    'PackPretextInputs',
    'RelativePatchTarget',
    'RotationTarget',
]
