"""Compare predictions with masks of the network's input size."""

from mmcv.transforms import BaseTransform

from mmssl.errors import DataError
from mmssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class EvaluateAtInputSize(BaseTransform):
    """Let mmseg predict, and the metric compare, at the size of the resized image instead of that of its file.

    mmseg enlarges predictions to ``ori_shape``, the size of the file. The released code of S2 evaluates on masks that
    were made smaller with the image, which gives other numbers. In the test pipeline:
    ``LoadImage, LoadSegAnnotations, Resize, EvaluateAtInputSize, PackSegInputs``.

    Required keys: ``img``; ``gt_seg_map`` is checked where there is one, for prediction goes without. It changes
    ``ori_shape`` and ``img_shape``, both to (height, width) of the image. A mask that is loaded behind it must have
    that size too, or :class:`LoadSegAnnotations` turns it down.
    """

    def transform(self, results: dict) -> dict:
        """Set the sizes of one sample.

        Args:
            results: a sample with ``img`` (H, W, 3) and, where it has one, ``gt_seg_map`` (H, W).

        Returns:
            The sample.

        Raises:
            DataError: the mask has another size than the image.
        """
        size = tuple(results['img'].shape[:2])
        mask = results.get('gt_seg_map')
        if mask is not None and tuple(mask.shape[:2]) != size:
            raise DataError(
                f'{results.get("seg_map_path") or results.get("img_path")}: EvaluateAtInputSize found a mask of '
                f'{mask.shape[0]}x{mask.shape[1]}, expected {size[0]}x{size[1]} as the image; load it before Resize'
            )
        results['ori_shape'] = results['img_shape'] = size
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}()'
