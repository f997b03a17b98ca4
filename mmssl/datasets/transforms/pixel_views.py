"""Two views of an image that know where they lie in it (S1, sections 2.4.1 and 3.3)."""

from collections.abc import Sequence

import cv2
import mmcv
import numpy as np
from mmcv.transforms import BaseTransform, Compose
from mmcv.transforms.utils import cache_randomness

from mmssl.registry import TRANSFORMS

from .pretext.target_size import check_bgr
from .view_geometry import draw_crop, view_box

VIEWS = 2
INTERPOLATIONS = ('bilinear', 'bicubic')
BACKENDS = ('pillow', 'cv2')
# What the hosts' geometric transforms leave in a sample: their coordinates would be lost.
GEOMETRIC_KEYS = ('flip', 'flip_direction', 'scale_factor')


@TRANSFORMS.register_module()
class PixelViews(BaseTransform):
    """Cut two views out of an image, each a random crop, resized and perhaps flipped, and keep their coordinates.

    Source: S1, sections 2.4.1 and 3.3, 4.1.2; crops are torchvision's (:func:`draw_crop`), as in the official code of
    PixPro. mmpretrain's ``MultiView`` drops the coordinates. ``mmssl.AffineView`` may follow, ``mmssl.PackPixelViews``
    packs. Draws come from numpy's global generator.

    *Deviation*: coordinates are those of pixel edges, 0 to W; the official code divides them by W - 1 and H - 1.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Replaced: ``img``, a list of two views (scale, scale, 3) uint8 BGR, and
    ``img_shape``. Added: ``boxes`` (2, 4) float32, x1, y1, x2, y2 of each view, edges in pixels of the image as it
    came in, x1 > x2 where the view is flipped; ``affine`` (2, 2, 3) float32, no change (``mmssl.AffineView``).

    Args:
        scale: side of the square views, in pixels.
        transforms: two lists of configs, what is done to the first view and to the second after crop and flip, as in
            ``MultiView``; changes of colour and sharpness alone, for others would move the view off its coordinates.
        crop_ratio_range: area of a crop, as a share of the image, in (0, 1].
        aspect_ratio_range: width / height of a crop, before it is made square.
        flip_prob: probability of a horizontal flip of each view, in [0, 1].
        interpolation: ``'bilinear'`` or ``'bicubic'``.
        backend: ``'pillow'``, which averages where it makes smaller, or ``'cv2'``, which does not.

    Raises:
        ValueError: an option outside these values; from ``transform``, an image of another kind, or a transform among
            ``transforms`` that moved its view.
    """

    def __init__(
        self,
        *,
        scale: int = 224,
        transforms: Sequence[Sequence[dict]] = ((), ()),
        crop_ratio_range: tuple[float, float] = (0.08, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        flip_prob: float = 0.5,
        interpolation: str = 'bilinear',
        backend: str = 'pillow',
    ) -> None:
        if not isinstance(scale, int) or isinstance(scale, bool) or scale < 1:
            raise ValueError(f'PixelViews: scale is {scale}, expected a number of pixels from 1 up')
        if len(transforms) != VIEWS or not all(isinstance(one, Sequence) for one in transforms):
            raise ValueError(
                f'PixelViews: transforms has {len(transforms)} parts, expected two lists, one for each view'
            )
        if len(crop_ratio_range) != 2 or not 0 < crop_ratio_range[0] <= crop_ratio_range[1] <= 1:
            raise ValueError(
                f'PixelViews: crop_ratio_range is {crop_ratio_range}, expected two rising numbers in (0, 1]'
            )
        if len(aspect_ratio_range) != 2 or not 0 < aspect_ratio_range[0] <= aspect_ratio_range[1] < float('inf'):
            raise ValueError(
                f'PixelViews: aspect_ratio_range is {aspect_ratio_range}, expected two rising numbers above 0'
            )
        if not 0 <= flip_prob <= 1:
            raise ValueError(f'PixelViews: flip_prob is {flip_prob}, expected 0 to 1')
        if interpolation not in INTERPOLATIONS:
            raise ValueError(f'PixelViews: interpolation is {interpolation!r}, expected one of {INTERPOLATIONS}')
        if backend not in BACKENDS:
            raise ValueError(f'PixelViews: backend is {backend!r}, expected one of {BACKENDS}')
        self.scale = scale
        self.pipelines = [Compose(list(one)) for one in transforms]
        self.crop_ratio_range = tuple(crop_ratio_range)
        self.aspect_ratio_range = tuple(aspect_ratio_range)
        self.flip_prob = flip_prob
        self.interpolation = interpolation
        self.backend = backend

    @cache_randomness
    def draw(self, height: int, width: int) -> list[tuple[tuple[int, int, int, int], bool]]:
        """Crop (left, top, right, bottom) of each view and whether it is flipped."""
        return [
            (
                draw_crop(height, width, self.crop_ratio_range, self.aspect_ratio_range),
                bool(np.random.rand() < self.flip_prob),
            )
            for _ in range(VIEWS)
        ]

    def cut(self, image: np.ndarray, crop: tuple[int, int, int, int], flipped: bool) -> np.ndarray:
        """The view (scale, scale, 3) of a crop."""
        left, top, right, bottom = crop
        size = (self.scale, self.scale)
        view = mmcv.imresize(
            image[top:bottom, left:right], size, interpolation=self.interpolation, backend=self.backend
        )
        return cv2.flip(view, 1) if flipped else view

    def transform(self, results: dict) -> dict | None:
        """Make the views; None where one of ``transforms`` gives up the sample, as the hosts' datasets expect."""
        if isinstance(results.get('img'), list):
            raise ValueError(
                f'{results.get("img_path")}: PixelViews found {len(results["img"])} views, expected one image'
            )
        check_bgr(results, 'PixelViews')
        drawn = self.draw(*results['img'].shape[:2])
        views = []
        for pipeline, (crop, flipped) in zip(self.pipelines, drawn, strict=True):
            view = self.cut(results['img'], crop, flipped)
            done = pipeline({**results, 'img': view, 'img_shape': view.shape[:2]})
            if done is None:
                return None
            if done['img'].shape != view.shape or any(done.get(key) != results.get(key) for key in GEOMETRIC_KEYS):
                raise ValueError(
                    f'{results.get("img_path")}: a transform of PixelViews cropped, resized or flipped its view, '
                    'expected changes of colour and sharpness alone'
                )
            views.append(done['img'])
        results['img'] = views
        results['img_shape'] = (self.scale, self.scale)
        results['boxes'] = np.array([view_box(*one) for one in drawn], np.float32)
        results['affine'] = np.tile(np.eye(2, 3, dtype=np.float32), (VIEWS, 1, 1))
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale={self.scale}, crop_ratio_range={self.crop_ratio_range}, '
            f'aspect_ratio_range={self.aspect_ratio_range}, flip_prob={self.flip_prob}, '
            f'interpolation={self.interpolation!r}, backend={self.backend!r}, transforms={self.pipelines})'
        )
