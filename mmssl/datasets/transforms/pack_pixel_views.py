"""The end of a pipeline of two views with coordinates."""

import numpy as np
import torch
from mmpretrain.datasets import PackInputs

from mmssl.registry import TRANSFORMS

GEOMETRY = {'boxes': (2, 4), 'affine': (2, 2, 3)}


@TRANSFORMS.register_module()
class PackPixelViews(PackInputs):
    """mmpretrain's ``PackInputs`` that also packs where the views lie in the image.

    Gives ``inputs``, a list of two (3, scale, scale) uint8, and ``data_samples``, a ``DataSample`` with ``boxes``
    (2, 4) and ``affine`` (2, 2, 3), float32 tensors. They are meta information, which stays on the CPU: a batch goes
    to the device as two tensors (``mmssl.models.selfsup.view_batch``), not as two for each image.

    Args:
        **kwargs: as ``PackInputs``: ``input_key``, ``algorithm_keys``, ``meta_keys``.

    Raises:
        ValueError: from ``transform``, a sample without coordinates, or with those of another number of views.
    """

    def transform(self, results: dict) -> dict:
        """Pack views, meta keys and coordinates."""
        packed = super().transform(results)
        for key, shape in GEOMETRY.items():
            found = results.get(key)
            if found is None or found.shape != shape or len(results[self.input_key]) != shape[0]:
                was = 'none' if found is None else f'shape {found.shape} for {len(results[self.input_key])} views'
                raise ValueError(
                    f'{results.get("img_path")}: PackPixelViews found {key}: {was}, expected {shape} for two views, '
                    'from mmssl.PixelViews'
                )
            packed['data_samples'].set_field(torch.from_numpy(found.astype(np.float32)), key, field_type='metainfo')
        return packed
