"""Where an unlabelled batch shows image, and not padding."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor


def valid_region(data_samples: Sequence[BaseDataElement], size: Sequence[int], device: torch.device) -> Tensor:
    """Pixels that the pipeline did not make up.

    Args:
        data_samples: of a batch: ``img_shape`` is the size before the data preprocessor padded at the right and below;
            ``valid_region`` (1, h, w) bool, where the pipeline has ``MarkValidRegion``.
        size: height and width of the batch.
        device: of the result.

    Returns:
        (B, H, W), bool.
    """
    valid = torch.ones((len(data_samples), *size), dtype=torch.bool, device=device)
    for index, sample in enumerate(data_samples):
        if 'valid_region' in sample:
            region = sample.valid_region.data[0].to(device, non_blocking=True)
            height, width = region.shape
            valid[index] = F.pad(region, (0, size[1] - width, 0, size[0] - height))
        else:
            height, width = sample.metainfo['img_shape'][:2]
            valid[index, height:] = False
            valid[index, :, width:] = False
    return valid
