from .colorization_head import ColorizationHead
from .deeplabv2_head import DeepLabV2Head
from .erfnet_head import ERFNetDecodeHead

__all__ = ['ColorizationHead', 'DeepLabV2Head', 'ERFNetDecodeHead']
