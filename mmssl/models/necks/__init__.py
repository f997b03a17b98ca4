from .max_pool_mlp import MaxPoolMLP

__all__ = ['MaxPoolMLP']
