from .confident_share import ConfidentShareWeighting
from .constant import ConstantWeighting
from .pixel_threshold import PixelThresholdWeighting
from .sigmoid_ramp_up import SigmoidRampUpWeighting

__all__ = [
    'ConfidentShareWeighting',
    'ConstantWeighting',
    'PixelThresholdWeighting',
    'SigmoidRampUpWeighting',
]
