"""Otsu clusters as a segmentation target (S0, section 3.2.6)."""

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.registry import TRANSFORMS

from .otsu_thresholds import check_classes, otsu_thresholds
from .target_size import check_bgr, image_as_original

GREY_LEVELS = 256


def grey_clusters(image: np.ndarray, classes: int) -> np.ndarray:
    """Cluster the pixels of an image by their grey value.

    Args:
        image: (H, W, 3) uint8 BGR.
        classes: 2, 3 or 4.

    Returns:
        (H, W) uint8, 0..classes-1 from dark to bright; class 0 holds the values at or below the first threshold.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    histogram = cv2.calcHist([grey], [0], None, [GREY_LEVELS], [0, GREY_LEVELS]).ravel()
    thresholds = otsu_thresholds(histogram, classes)
    return cv2.LUT(grey, np.searchsorted(thresholds, np.arange(GREY_LEVELS)).astype(np.uint8))


@TRANSFORMS.register_module()
class OtsuTarget(BaseTransform):
    """Let the clusters of multi-level Otsu on grey values be the segmentation target.

    Source: S0, section 3.2.6, table 5.1 ("Otsu's method"). It stands after the augmentations: thresholds are those of
    the image as it stands, which becomes the original image of the sample (:func:`image_as_original`). Flips and
    crops that follow move the target with the image, for it is entered in ``seg_fields``.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Added keys: ``gt_seg_map`` (H, W) uint8, 0..classes-1 from dark to
    bright, in place of one that was there.

    Args:
        classes: number of clusters, 2 to 4. An image with fewer grey values has fewer.

    Raises:
        ValueError: for another number of classes, or a sample with another kind of image.
    """

    def __init__(self, *, classes: int = 4) -> None:
        self.classes = check_classes(classes, 'OtsuTarget')

    def transform(self, results: dict) -> dict:
        """Make the target of ``results['img']``."""
        check_bgr(results, 'OtsuTarget')
        results['gt_seg_map'] = grey_clusters(results['img'], self.classes)
        fields = results.setdefault('seg_fields', [])
        if 'gt_seg_map' not in fields:
            fields.append('gt_seg_map')
        image_as_original(results)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(classes={self.classes})'
