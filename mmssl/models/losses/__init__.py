from .consistency import ConsistencyCrossEntropyLoss, ConsistencySquaredErrorLoss
from .weighted_cross_entropy import WeightedCrossEntropyLoss

__all__ = ['ConsistencyCrossEntropyLoss', 'ConsistencySquaredErrorLoss', 'WeightedCrossEntropyLoss']
