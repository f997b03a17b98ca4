"""An affine map of one of two views (S1, sections 3.3 and 4.3.1)."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from mmssl.registry import TRANSFORMS

LIMITS = {'rotation': 180.0, 'translation': math.inf, 'shear_x': 89.0, 'shear_y': 89.0}


def affine_matrix(
    height: int,
    width: int,
    *,
    rotation: float = 0.0,
    translation: tuple[float, float] = (0.0, 0.0),
    shear: tuple[float, float] = (0.0, 0.0),
) -> np.ndarray:
    """Where each place of a warped view comes from.

    The content is sheared in x, sheared in y, rotated, all about the centre, and then shifted: with y downwards,

        F = [[cos r, sin r], [-sin r, cos r]] @ [[1, 0], [tan s_y, 1]] @ [[1, tan s_x], [0, 1]],  p' = F p + t

    and the result is its inverse, in the normalised coordinates of ``torch.nn.functional.affine_grid`` with
    ``align_corners=False``: -1 and 1 are the edges of the view.

    Args:
        height: of the view, in pixels.
        width: of the view, in pixels.
        rotation: in degrees, counter-clockwise.
        translation: in pixels, to the right and down.
        shear: in degrees, along x (to the right below the centre) and along y (down to the right of it).

    Returns:
        (2, 3) float64, coordinates of the warped view to those of the view before.
    """
    turn = math.radians(rotation)
    along_x, along_y = (math.tan(math.radians(angle)) for angle in shear)
    rotate = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    back = np.linalg.inv(rotate @ [[1, 0], [along_y, 1]] @ [[1, along_x], [0, 1]])
    half = np.array([width / 2, height / 2])
    return np.column_stack([back * half / half[:, None], -(back @ translation) / half])


def warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Warp a view, bilinearly; black where there is no image.

    Args:
        image: (H, W) or (H, W, C), uint8 or float32.
        matrix: (2, 3), as :func:`affine_matrix` returns it.

    Returns:
        As the image: shape and type.
    """
    height, width = image.shape[:2]
    # OpenCV counts pixels from the centre of the first one, which lies at 1 / W - 1 in normalised coordinates.
    normalise = np.array([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    pixels = np.linalg.inv(normalise) @ np.vstack([matrix, [0, 0, 1]]) @ normalise
    return cv2.warpAffine(
        image,
        pixels[:2],
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


@TRANSFORMS.register_module()
class AffineView(BaseTransform):
    """Rotate, shift and shear one of the two views of ``mmssl.PixelViews``, and keep the map.

    Source: S1, sections 3.3 and 4.3.1. Table 4.1: "rotation" is 30 degrees; "fixed" adds 10 pixels and shears of 10
    degrees in x and y; "rand. init." is -45 to 45 degrees, -100 to 100 pixels, -10 to 10 degrees in x. It stands after
    the changes of colour, so that what has no image behind it is black.

    *Deviations*: drawn for each image, the thesis draws for each batch. The thesis does not say in which order the maps
    follow each other (:func:`affine_matrix`); its views collapse to a line where both shears grow (section 5.1), here
    areas are kept.

    Required keys: ``img``, a list of two views (H, W, 3), ``affine`` (2, 2, 3) float32. Modified: ``img`` and
    ``affine``, where the view is ``view``: the map from coordinates of the warped view to those of the view before, in
    the normalised coordinates of ``torch.nn.functional.affine_grid(align_corners=False)``. ``boxes`` stay.

    Each of these is a number, which is taken as it is, or a pair to draw from, uniformly.

    Args:
        view: which of the two, 0 or 1.
        rotation: in degrees, counter-clockwise, within -180 to 180.
        translation: in pixels of the view, to the right and down; drawn for x and y on their own.
        shear_x: in degrees, within -89 to 89.
        shear_y: in degrees, within -89 to 89.

    Raises:
        ValueError: an option outside these values, a pair that does not rise, or nothing to change; from ``transform``,
            a sample without two views and their maps, a view that was warped before, or one that is not larger than the
            translation.
    """

    def __init__(
        self,
        *,
        view: int = 0,
        rotation: float | Sequence[float] = 0.0,
        translation: float | Sequence[float] = 0.0,
        shear_x: float | Sequence[float] = 0.0,
        shear_y: float | Sequence[float] = 0.0,
    ) -> None:
        if view not in (0, 1) or isinstance(view, bool):
            raise ValueError(f'AffineView: view is {view!r}, expected 0 or 1')
        self.view = view
        options = {'rotation': rotation, 'translation': translation, 'shear_x': shear_x, 'shear_y': shear_y}
        self.ranges = {name: self._range_of(name, value) for name, value in options.items()}
        if not any(any(interval) for interval in self.ranges.values()):
            raise ValueError(f'AffineView: {", ".join(options)} are all 0, expected one that changes the view')

    @staticmethod
    def _range_of(name: str, value: float | Sequence[float]) -> tuple[float, float]:
        interval = tuple(value) if isinstance(value, Sequence) else (value, value)
        limit = LIMITS[name]
        if len(interval) != 2 or not -limit <= interval[0] <= interval[1] <= limit or math.inf in map(abs, interval):
            within = f' within [{-limit:g}, {limit:g}]' if limit < math.inf else ''
            raise ValueError(f'AffineView: {name} is {value}, expected a number or two rising numbers{within}')
        return interval

    @cache_randomness
    def draw(self) -> dict:
        """``rotation``, ``translation`` (x, y) and ``shear`` (x, y) for :func:`affine_matrix`."""
        names = ('rotation', 'translation', 'translation', 'shear_x', 'shear_y')
        rotation, right, down, *shear = (float(np.random.uniform(*self.ranges[name])) for name in names)
        return {'rotation': rotation, 'translation': (right, down), 'shear': tuple(shear)}

    def transform(self, results: dict) -> dict:
        """Warp ``results['img'][view]``."""
        path, views, affine = results.get('img_path'), results.get('img'), results.get('affine')
        if not isinstance(views, list) or len(views) != 2 or affine is None:
            raise ValueError(f'{path}: AffineView found no two views with coordinates, expected mmssl.PixelViews')
        if not np.array_equal(affine[self.view], np.eye(2, 3)):
            raise ValueError(f'{path}: AffineView found view {self.view} warped before, expected it once for a view')
        size = views[self.view].shape[:2]
        furthest = max(map(abs, self.ranges['translation']))
        if furthest >= min(size):
            raise ValueError(
                f'{path}: AffineView found a view of {size[0]}x{size[1]}, expected more than translation={furthest:g} '
                'pixels'
            )
        matrix = affine_matrix(*size, **self.draw())
        results['img'] = [warp(one, matrix) if i == self.view else one for i, one in enumerate(views)]
        results['affine'] = affine.copy()
        results['affine'][self.view] = matrix
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(view={self.view}, {self.ranges})'
