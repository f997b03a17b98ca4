from .consistency import ConsistencyCrossEntropyLoss, ConsistencySquaredErrorLoss
from .pixel_consistency import PixelConsistencyLoss
from .weighted_cross_entropy import WeightedCrossEntropyLoss

__all__ = [
    'ConsistencyCrossEntropyLoss',
    'ConsistencySquaredErrorLoss',
    'PixelConsistencyLoss',
    'WeightedCrossEntropyLoss',
]
