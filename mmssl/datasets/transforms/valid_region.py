"""Keep track of where an image was made up by padding or turning."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.registry import TRANSFORMS

MARK = 1
"""Value of image pixels where there is no mask; all that hosts fill in (255, some 0) is something else."""

MASK_OFFSET = 256
"""Added to the ids of a mask; what is filled in stays below."""


@TRANSFORMS.register_module()
class MarkValidRegion(BaseTransform):
    """Mark all pixels of an image, so that after the pipeline one knows which are image and which were filled in.

    It stands after the loading transforms of an unlabelled pipeline. The mark travels as ``gt_seg_map``, for that is
    what every geometric transform of the hosts moves with the image: mmcv's ``Pad`` and ``CenterCrop`` know no other
    map. ``PackUnlabeledInputs`` turns it into ``valid_region``.

    Required key: ``img``. Set: ``gt_seg_map``, (H, W): uint8 1; where a mask was loaded, uint16, 256 more than its ids.
    """

    def transform(self, results: dict) -> dict:
        """Mark ``results['img']``.

        Raises:
            ValueError: a mask of another kind than (H, W) of 8 bits.
        """
        mask = results.get('gt_seg_map')
        if mask is None:
            results['gt_seg_map'] = np.full(results['img'].shape[:2], MARK, dtype=np.uint8)
        elif mask.dtype == np.uint8 and mask.ndim == 2:
            results['gt_seg_map'] = mask.astype(np.uint16) + MASK_OFFSET
        else:
            shape = 'x'.join(map(str, mask.shape))
            raise ValueError(
                f'{results.get("img_path")}: MarkValidRegion found a mask of {shape} {mask.dtype}, expected (H, W) '
                'uint8 and this transform once'
            )
        results['valid_region_marked'] = True
        fields = results.setdefault('seg_fields', [])
        if 'gt_seg_map' not in fields:
            fields.append('gt_seg_map')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'


def read_marks(marked: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Take a map of :class:`MarkValidRegion` apart.

    Args:
        marked: (H, W), uint8 or uint16.

    Returns:
        (H, W) bool, True where there is image; and the mask, (H, W) uint8 with 255 elsewhere, or None without one.
    """
    if marked.dtype == np.uint8:
        return marked == MARK, None
    valid = marked >= MASK_OFFSET
    return valid, np.where(valid, marked - MASK_OFFSET, 255).astype(np.uint8)
