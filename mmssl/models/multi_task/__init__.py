from .grad_norm_balance import GradNormBalance
from .shared_encoder import SharedEncoder
from .uncertainty_balance import UncertaintyBalance

__all__ = ['GradNormBalance', 'SharedEncoder', 'UncertaintyBalance']
