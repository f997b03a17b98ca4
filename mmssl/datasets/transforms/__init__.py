"""What happens to a sample between the file and the network."""

from mmssl.datasets.transforms.affine_view import AffineView
from mmssl.datasets.transforms.color_jitter import RandomColorJitter
from mmssl.datasets.transforms.evaluate_at_input_size import EvaluateAtInputSize
from mmssl.datasets.transforms.loading import LoadImage, LoadSegAnnotations
from mmssl.datasets.transforms.pack_pixel_views import PackPixelViews
from mmssl.datasets.transforms.pack_unlabeled_inputs import PackUnlabeledInputs
from mmssl.datasets.transforms.pixel_views import PixelViews
from mmssl.datasets.transforms.pretext import (
    ColorizationTarget,
    DenoisingTarget,
    InpaintingTarget,
    JigsawTarget,
    OtsuTarget,
    PackPretextInputs,
    RelativePatchTarget,
    RotationTarget,
)
from mmssl.datasets.transforms.random_translate import RandomTranslate
from mmssl.datasets.transforms.street_scene_loading import LoadStreetScene
from mmssl.datasets.transforms.valid_region import MarkValidRegion

__all__ = [
    'AffineView',
    'RandomColorJitter',
    'ColorizationTarget',
    'DenoisingTarget',
    'EvaluateAtInputSize',
    'InpaintingTarget',
    'JigsawTarget',
    'LoadImage',
    'LoadSegAnnotations',
    'LoadStreetScene',
    'MarkValidRegion',
    'OtsuTarget',
    'PackPixelViews',
    'PackPretextInputs',
    'PackUnlabeledInputs',
    'PixelViews',
    'RandomTranslate',
    'RelativePatchTarget',
    'RotationTarget',
]
