"""What the jigsaw and the relative patch task share: from an image to patches as the network takes them."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.registry import TRANSFORMS

from .patches import CELLS_PER_SIDE, cut_patches, draw_offsets, resize_square
from .sample_generator import check_seed
from .target_size import check_bgr


class PatchTarget(BaseTransform):
    """Base of targets on patches of a 3x3 grid (S0, section 3.2.3).

    The image is resized to a square of ``grid_size``, and each of its nine cells gives one patch from a random place
    within the cell. The random region of the image that the thesis begins with is mmpretrain's ``RandomResizedCrop``
    with ``scale=225`` before this transform (or mmcv's ``RandomCrop``), and in validation its ``CenterCrop`` or none.

    Args:
        grid_size: side of the square in pixels, divisible by 3.
        patch_size: side of a patch in pixels, at most ``grid_size / 3``.
        patch_transforms: transforms of ``img`` (patch_size, patch_size, 3) uint8 BGR, applied to each patch
            separately, such as ``mmssl.RandomColorJitter``. They draw from numpy's global generator, ``seed`` or not.
        seed: None draws anew at every epoch; an integer makes the draws of this transform a function of it and of the
            sample.

    Raises:
        ValueError: sizes that do not fit, or a patch transform that changes size or type of a patch.
    """

    def __init__(
        self,
        *,
        grid_size: int = 225,
        patch_size: int = 64,
        patch_transforms: Sequence[dict] = (),
        seed: int | None = None,
    ) -> None:
        name = type(self).__name__
        if grid_size <= 0 or grid_size % CELLS_PER_SIDE:
            raise ValueError(f'{name}: grid_size={grid_size}, expected a positive multiple of {CELLS_PER_SIDE}')
        if not 0 < patch_size <= grid_size // CELLS_PER_SIDE:
            raise ValueError(f'{name}: patch_size={patch_size}, expected 1 to {grid_size // CELLS_PER_SIDE}')
        self.grid_size = grid_size
        self.patch_size = patch_size
        self.patch_transforms = [TRANSFORMS.build(cfg) if isinstance(cfg, dict) else cfg for cfg in patch_transforms]
        self.seed = check_seed(seed, name)

    def make_patches(self, results: dict, cells: Sequence[int], generator: np.random.Generator) -> None:
        """Replace the image by patches of some of its cells.

        Args:
            results: a sample with ``img`` (H, W, 3) uint8 BGR; changed in place: ``img`` becomes (P, 3, patch_size,
                patch_size) uint8 BGR, ``img_shape`` the size of a patch.
            cells: P cell numbers, 0 to 8, in the order that the patches shall have.
            generator: for the places within the cells.
        """
        check_bgr(results, type(self).__name__)
        offsets = draw_offsets(self.grid_size // CELLS_PER_SIDE, self.patch_size, generator)
        patches = cut_patches(resize_square(results['img'], self.grid_size), offsets, self.patch_size, cells)
        if self.patch_transforms:
            patches = [self._transform_patch(patch, results) for patch in patches]
        results['img'] = np.ascontiguousarray(np.stack(patches).transpose(0, 3, 1, 2))
        results['img_shape'] = (self.patch_size, self.patch_size)

    def _transform_patch(self, patch: np.ndarray, results: dict) -> np.ndarray:
        sample = {'img': patch.copy(), 'img_shape': patch.shape[:2], 'img_path': results.get('img_path')}
        for transform in self.patch_transforms:
            sample = transform(sample)
        changed = sample['img']
        if changed.shape != patch.shape or changed.dtype != patch.dtype:
            raise ValueError(
                f'{results.get("img_path")}: patch_transforms of {type(self).__name__} made a patch of shape '
                f'{changed.shape} and type {changed.dtype}, expected {patch.shape} and {patch.dtype} as before'
            )
        return changed

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(grid_size={self.grid_size}, patch_size={self.patch_size}, '
            f'patch_transforms={self.patch_transforms}, seed={self.seed})'
        )
