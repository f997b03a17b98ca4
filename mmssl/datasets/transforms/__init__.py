"""What happens to a sample between the file and the network."""

from mmssl.datasets.transforms.color_jitter import RandomColorJitter
from mmssl.datasets.transforms.loading import LoadImage, LoadSegAnnotations
from mmssl.datasets.transforms.pretext import (
    ColorizationTarget,
    JigsawTarget,
    OtsuTarget,
    PackPretextInputs,
    RelativePatchTarget,
    RotationTarget,
)
from mmssl.datasets.transforms.random_translate import RandomTranslate
from mmssl.datasets.transforms.street_scene_loading import LoadStreetScene

__all__ = [
    'RandomColorJitter',
    'ColorizationTarget',
    'JigsawTarget',
    'LoadImage',
    'LoadSegAnnotations',
    'LoadStreetScene',
    'OtsuTarget',
    'PackPretextInputs',
    'RandomTranslate',
    'RelativePatchTarget',
    'RotationTarget',
]
