from .conv_projector import ConvProjector
from .local_ppm import LocalPPM
from .max_pool_mlp import MaxPoolMLP
from .ppm import PPM
from .self_attention_propagation import SelfAttentionPropagation

__all__ = ['PPM', 'ConvProjector', 'LocalPPM', 'MaxPoolMLP', 'SelfAttentionPropagation']
