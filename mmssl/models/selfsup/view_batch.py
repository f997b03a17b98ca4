"""Where the views of a batch lie in their images."""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmssl.errors import DataError

GEOMETRY = {'boxes': (2, 4), 'affine': (2, 2, 3)}


def stack_geometry(data_samples: Sequence[BaseDataElement]) -> tuple[Tensor, Tensor]:
    """Coordinates of the views of a batch, as ``mmssl.PackPixelViews`` packed them.

    Args:
        data_samples: B of them, each with ``boxes`` (2, 4) and ``affine`` (2, 2, 3).

    Returns:
        Boxes (B, 2, 4), float32, x1, y1, x2, y2 in pixels of the image, and affine maps (B, 2, 2, 3), float32, on the
        device of the samples: the CPU behind ``PackPixelViews``, so that both go to the device in one copy each.

    Raises:
        DataError: views without coordinates.
    """
    for i, sample in enumerate(data_samples):
        for key, shape in GEOMETRY.items():
            found = sample.get(key)
            if not isinstance(found, Tensor) or found.shape != shape:
                was = f'{key} of shape {tuple(found.shape)}' if isinstance(found, Tensor) else f'no {key}'
                raise DataError(
                    f'{sample.get("img_path", f"sample {i}")}: views without coordinates: {was}, expected {shape} from '
                    'mmssl.PixelViews and mmssl.PackPixelViews'
                )
    boxes, affine = (torch.stack([sample.get(key) for sample in data_samples]).float() for key in GEOMETRY)
    return boxes, affine


def warped_views(affine: Tensor) -> tuple[bool, bool]:
    """Which of the two views are warped in any image of the batch, to spare the others :func:`warp_back`.

    Args:
        affine: (B, 2, 2, 3), on the CPU, for the values are read.

    Returns:
        One bool for each view.
    """
    first, second = (affine != torch.eye(2, 3)).any(dim=0).flatten(1).any(dim=1).tolist()
    return first, second
