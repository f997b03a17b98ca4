from .colorization_head import ColorizationHead
from .deeplabv2_head import DeepLabV2Head
from .erfnet_head import ERFNetDecodeHead
from .quantized_colorization_head import QuantizedColorizationHead
from .reconstruction_head import ReconstructionHead

__all__ = [
    'ColorizationHead',
    'DeepLabV2Head',
    'ERFNetDecodeHead',
    'QuantizedColorizationHead',
    'ReconstructionHead',
]
