from .colorization_head import ColorizationHead
from .erfnet_head import ERFNetDecodeHead

__all__ = ['ColorizationHead', 'ERFNetDecodeHead']
