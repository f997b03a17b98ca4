"""Whether features still differ from each other (S1, section 2.4: collapse)."""

from collections.abc import Sequence

import torch
from torch import Tensor

SHORTEST = 1e-12


@torch.no_grad()
def feature_std(maps: Sequence[Tensor]) -> Tensor:
    """Standard deviation of normalised pixel features: over images and pixels, averaged over the channels.

    0 where all features point in one direction, the collapse; 1 / sqrt(C) where they point everywhere.

    Args:
        maps: each (B, C, H, W), float.

    Returns:
        Scalar, float32 or wider, 0 to 1.
    """
    features = torch.cat([one.detach().flatten(2) for one in maps])
    features = features.to(torch.promote_types(features.dtype, torch.float32))
    lengths = torch.linalg.vector_norm(features, dim=1, keepdim=True).clamp(min=SHORTEST)
    return (features / lengths).std(dim=(0, 2), unbiased=False).mean()
