"""Where a patch stood beside the centre (S0, section 3.2.4)."""

from mmssl.registry import TRANSFORMS

from .patch_target import PatchTarget
from .sample_generator import sample_generator

CENTRE = 4
NEIGHBOURS = (0, 1, 2, 3, 5, 6, 7, 8)
"""Cells of the labels 0 to 7: row-major, the centre left out."""


@TRANSFORMS.register_module()
class RelativePatchTarget(PatchTarget):
    """Take the centre and one of its eight neighbours out of an image; where it stood becomes the class.

    Source: S0, section 3.2.4; C. Doersch et al., "Unsupervised Visual Representation Learning by Context Prediction",
    ICCV 2015. Patches are those of :class:`JigsawTarget`, as in the thesis.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Replaced: ``img`` (2, 3, patch_size, patch_size) uint8 BGR, the centre
    first, and ``img_shape``. Added: ``gt_label``, 0 to 7 for upper left, upper, upper right, left, right, lower left,
    lower, lower right.

    Args:
        **kwargs: as :class:`PatchTarget`: ``grid_size``, ``patch_size``, ``patch_transforms``, ``seed``.
    """

    def transform(self, results: dict) -> dict:
        """Draw a neighbour and cut both patches out of ``results['img']``."""
        generator = sample_generator(self.seed, results)
        label = int(generator.integers(len(NEIGHBOURS)))
        self.make_patches(results, (CENTRE, NEIGHBOURS[label]), generator)
        results['gt_label'] = label
        return results
