"""Packs targets for every pixel that are no class maps."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs

from mmssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PackPretextInputs(PackSegInputs):
    """mmseg's ``PackSegInputs`` that also packs other targets for every pixel.

    Each key becomes a ``PixelData`` of the data sample with the same name, ``data_samples.gt_ab.data``, of the shape
    (C, H, W) and the type that the transform before gave it.

    Args:
        pixel_keys: targets to pack, each (C, H, W) with the height and width of the image.
        kwargs: as mmseg's ``PackSegInputs``: ``meta_keys``.

    Raises:
        ValueError: for no or repeated keys, a key that the sample has not, and a target of another size.
    """

    def __init__(self, *, pixel_keys: Sequence[str] = ('gt_ab',), **kwargs) -> None:
        super().__init__(**kwargs)
        self.pixel_keys = (pixel_keys,) if isinstance(pixel_keys, str) else tuple(pixel_keys)
        if not self.pixel_keys or len(set(self.pixel_keys)) < len(self.pixel_keys):
            raise ValueError(f'PackPretextInputs: pixel_keys={self.pixel_keys}, expected at least one, each once')

    def transform(self, results: dict) -> dict:
        """Pack image, meta keys and targets."""
        packed = super().transform(results)
        for key in self.pixel_keys:
            if key not in results:
                raise ValueError(
                    f'{results.get("img_path")}: PackPretextInputs found no {key!r} in the sample, '
                    'expected a transform before that makes it'
                )
            target, size = results[key], results['img'].shape[:2]
            if target.ndim != 3 or target.shape[1:] != size:
                raise ValueError(
                    f'{results.get("img_path")}: {key} has the shape {target.shape}, '
                    f'expected (channels, {size[0]}, {size[1]}) as the image'
                )
            setattr(packed['data_samples'], key, PixelData(data=torch.from_numpy(np.ascontiguousarray(target))))
        return packed

    def __repr__(self) -> str:
        return f'{type(self).__name__}(pixel_keys={self.pixel_keys}, meta_keys={self.meta_keys})'
