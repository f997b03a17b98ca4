"""The end of an unlabelled pipeline."""

from collections.abc import Sequence

import torch
from mmengine.structures import PixelData
from mmseg.datasets.transforms import PackSegInputs

from mmssl.datasets.transforms.valid_region import read_marks
from mmssl.registry import TRANSFORMS

META_KEYS = ('img_path', 'ori_shape', 'img_shape', 'pad_shape', 'scale_factor', 'flip', 'flip_direction')


@TRANSFORMS.register_module()
class PackUnlabeledInputs(PackSegInputs):
    """Pack an image without its masks.

    Gives ``inputs``, (3, H, W) uint8, and ``data_samples``, a ``SegDataSample`` with the meta information and, behind
    :class:`MarkValidRegion`, ``valid_region``: ``PixelData`` of (1, H, W) bool, True where there is image.

    Args:
        meta_keys: of the sample, which go into the meta information where they are there.
        keep_masks: whether to pack ``gt_sem_seg`` as well, where the pipeline has loaded a mask: for statistics of
            pseudo-labels alone, no loss looks at it.
    """

    def __init__(self, *, meta_keys: Sequence[str] = META_KEYS, keep_masks: bool = False) -> None:
        super().__init__(meta_keys=tuple(meta_keys))
        self.keep_masks = keep_masks

    def transform(self, results: dict) -> dict:
        """Pack a sample.

        Raises:
            ValueError: the marked region was lost: it does not have the size of the image, or a mask was loaded over
                it.
        """
        kept = {key: value for key, value in results.items() if self.keep_masks or not key.startswith('gt_')}
        region = None
        if results.get('valid_region_marked'):
            marked = results['gt_seg_map']
            if results['seg_fields'].count('gt_seg_map') > 1:
                raise ValueError(
                    f'{results.get("img_path")}: a mask was loaded over the marked region, expected MarkValidRegion '
                    'behind the loading transforms'
                )
            if marked.shape != results['img'].shape[:2]:
                sizes = ['x'.join(map(str, shape[:2])) for shape in (results['img'].shape, marked.shape)]
                raise ValueError(
                    f'{results.get("img_path")}: the image has {sizes[0]} pixels, its valid region {sizes[1]}; '
                    'expected geometric transforms that move gt_seg_map with the image'
                )
            region, mask = read_marks(marked)
            kept.pop('gt_seg_map', None)
            if self.keep_masks and mask is not None:
                kept['gt_seg_map'] = mask
        packed = super().transform(kept)
        if region is not None:
            packed['data_samples'].valid_region = PixelData(data=torch.from_numpy(region[None].copy()))
        return packed

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys}, keep_masks={self.keep_masks})'
