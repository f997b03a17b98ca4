from .erfnet_head import ERFNetDecodeHead

__all__ = ['ERFNetDecodeHead']
