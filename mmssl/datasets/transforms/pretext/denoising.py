"""An image with noise as input, the clean image as target (S4, section 2.3.2)."""

from collections.abc import Sequence

import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.registry import TRANSFORMS

from .number_range import as_range
from .sample_generator import check_seed, sample_generator
from .target_size import check_bgr, image_as_original


def add_noise(image: np.ndarray, std: float, generator: np.random.Generator) -> np.ndarray:
    """Add Gaussian noise to every value of an image, then round to whole grey levels and clip to 0..255.

    Rounding adds a variance of 1/12; clipping makes dark and bright values less noisy and moves their mean: black with
    a standard deviation s becomes s / sqrt(2 pi) on average.

    Args:
        image: (H, W, C) uint8, left as it is.
        std: standard deviation in grey levels, 0 or more.
        generator: numpy's generator.

    Returns:
        (H, W, C) uint8.
    """
    noise = generator.standard_normal(image.shape, dtype=np.float32)
    noise *= np.float32(std)
    noise += image
    # In place, for these arrays are what the transform's time goes to.
    return np.clip(np.rint(noise, out=noise), 0, 255, out=noise).astype(np.uint8)


@TRANSFORMS.register_module()
class DenoisingTarget(BaseTransform):
    """Add Gaussian noise to an image; the clean image is the target.

    Source: S4, section 2.3.2: the image "which we added a virtual noise", compared with the image itself. It stands
    after the augmentations, for nothing that follows would move ``gt_image`` with the image; :class:`PackPretextInputs`
    packs it. The image becomes the original image of the sample (:func:`image_as_original`).

    Deviations: the report names neither kind nor strength of the noise. Here it is independent in every pixel and
    channel, with 25 grey levels, the middle one of the usual 15, 25 and 50 (K. Zhang et al., "Beyond a Gaussian
    Denoiser", TIP 2017). The result is an 8-bit image as a camera gives it: rounded, and clipped (:func:`add_noise`).

    Required keys: ``img`` (H, W, 3) uint8 BGR. Replaced: ``img``, the same with noise. Added: ``gt_image`` (3, H, W)
    uint8 BGR, the image as it was.

    Args:
        std: standard deviation in grey levels 0..255, above 0; a pair (lowest, highest), which may begin at 0, is drawn
            from uniformly for each image.
        seed: None draws anew each time; a number gives an image the same noise at every epoch
            (:func:`sample_generator`).

    Raises:
        ValueError: another deviation or seed; from ``transform``, another kind of image.
    """

    def __init__(self, *, std: float | Sequence[float] = 25.0, seed: int | None = None) -> None:
        self.std = as_range(std, 'std', 'DenoisingTarget')
        if self.std[0] < 0 or not self.std[1] > 0:
            raise ValueError(f'DenoisingTarget: std={std!r}, expected grey levels above 0, or a pair from 0 up')
        self.seed = check_seed(seed, 'DenoisingTarget')

    def transform(self, results: dict) -> dict:
        """Add noise to ``results['img']``."""
        check_bgr(results, 'DenoisingTarget')
        image, generator = results['img'], sample_generator(self.seed, results)
        results['img'] = add_noise(image, float(generator.uniform(*self.std)), generator)
        results['gt_image'] = np.ascontiguousarray(image.transpose(2, 0, 1))
        image_as_original(results)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(std={self.std}, seed={self.seed})'
