"""Cut objects out of images, and tell how alike two cut-outs are (S3, sections 3.3.3 and 4.3.3)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

BACKGROUNDS = ('black', 'white', 'blur', 'transparent')
INSTANCES = ('all', 'largest')
BLUR = 0.02
"""Standard deviation of the blur as a share of the longer side: 13 pixels on 640x480."""


def class_ids(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Indices of class names.

    Args:
        names: what was asked for, one or more.
        classes: K names in the order of their ids.

    Returns:
        Ids in 0..K-1, one a name.

    Raises:
        ValueError: nothing was asked for, or a name that is no class.
    """
    if isinstance(names, str) or not names:
        raise ValueError(f'instances is {names!r}, expected {", ".join(INSTANCES)} or names of classes')
    unknown = [name for name in names if name not in classes]
    if unknown:
        raise ValueError(f'unknown class {", ".join(map(repr, unknown))}, expected some of {", ".join(classes)}')
    return [list(classes).index(name) for name in names]


def check_score_thr(score_thr: float) -> float:
    """Returns a score threshold that lies in 0..1.

    Raises:
        ValueError: it does not.
    """
    if not 0 <= score_thr <= 1:  # NaN too
        raise ValueError(f'score_thr is {score_thr}, expected 0 to 1')
    return score_thr


def union_mask(masks: Tensor, labels: Tensor, instances: str | Sequence[int] = 'all') -> Tensor:
    """Pixels of all instances, of the largest, or of those of some classes (S3, section 3.3.3: there is one).

    Args:
        masks: (N, H, W), bool, N may be 0.
        labels: (N,), int64, ids of classes.
        instances: ``'all'``, ``'largest'`` (most pixels; the first of equals) or ids of classes.

    Returns:
        (H, W), bool, on the device of the masks; nowhere true where there is no such instance.
    """
    if instances == 'largest' and len(masks) > 1:
        masks = masks[masks.flatten(1).sum(1).argmax()][None]
    elif not isinstance(instances, str):
        masks = masks[torch.isin(labels, labels.new_tensor(list(instances)))]
    if len(masks) < 2:
        return masks[0] if len(masks) else masks.new_zeros(masks.shape[1:])
    return masks.view(torch.uint8).amax(0).bool()  # masks.any(0) takes 50 times as long on a CPU


def cut_out(image: np.ndarray, mask: np.ndarray, background: str = 'black') -> np.ndarray:
    """Replace every pixel outside a mask at once.

    Black is the thesis's, whose background becomes zero. Behind a transparent background there is no colour left. The
    blurred one mixes background pixels alone, so that nothing of the object shines around it (:func:`blurred`).

    Args:
        image: (H, W, 3), uint8, any order of channels.
        mask: (H, W), bool, what to keep.
        background: ``'black'``, ``'white'``, ``'blur'`` or ``'transparent'``.

    Returns:
        (H, W, 3), uint8; with ``'transparent'`` (H, W, 4), the last of which is 255 inside and 0 outside. A new array.

    Raises:
        ValueError: an unknown background, or other shapes or types.
    """
    if background not in BACKGROUNDS:
        raise ValueError(f'background is {background!r}, expected {", ".join(BACKGROUNDS)}')
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or mask.dtype != np.bool_:
        raise ValueError(
            f'cut_out: image of {image.shape} {image.dtype} and mask of {mask.dtype}, expected (H, W, 3) uint8 and bool'
        )
    if mask.shape != image.shape[:2]:
        raise ValueError(f'cut_out: mask of {mask.shape} for an image of {image.shape[:2]}, expected one size')
    inside = np.ascontiguousarray(mask).view(np.uint8)
    if background == 'transparent':
        image = cv2.cvtColor(image, cv2.COLOR_BGR2BGRA)
    if background == 'blur':
        canvas = blurred(image, inside)
    else:
        canvas = np.full(image.shape, 255 if background == 'white' else 0, dtype=np.uint8)
    # OpenCV copies rows of pixels where numpy's broadcast mask goes through channels three by three.
    return cv2.copyTo(image, inside, canvas)


def blurred(image: np.ndarray, inside: np.ndarray, share: float = BLUR) -> np.ndarray:
    """Gaussian blur of the pixels outside a mask, with weight 0 for those inside.

    Nothing finer than sigma can be seen in it, so it is computed on a smaller picture, of a sigma of 3 to 6 pixels, and
    enlarged. From the exact one it differs by less than 1 level of 255 in the mean, and by more next to the object.

    Args:
        image: (H, W, 3), uint8.
        inside: (H, W), uint8: 0 outside, another number inside.
        share: sigma divided by the longer side.

    Returns:
        (H, W, 3), uint8. Far inside, where no pixel of the background is near, its values mean nothing.
    """
    height, width = inside.shape
    sigma = share * max(height, width)
    factor = 2 ** max(0, int(np.log2(sigma / 3)))  # a power of 2, whose resizing is the fastest
    small = (max(1, round(width / factor)), max(1, round(height / factor)))
    outside = (inside == 0).view(np.uint8) * np.uint8(255)
    colours = cv2.resize(cv2.copyTo(image, outside), small, interpolation=cv2.INTER_AREA).astype(np.float32)
    weights = cv2.resize(outside, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    both = cv2.GaussianBlur(cv2.merge([*cv2.split(colours), weights]), (0, 0), sigma / factor)
    mixed = both[..., :3] * (255 / np.maximum(both[..., 3:], 1))
    small_picture = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)
    return cv2.resize(small_picture, (width, height), interpolation=cv2.INTER_LINEAR)


def cosine_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Cosine of the angle between two pictures as vectors, in percent (S3, section 4.3.3, equation 23).

    Sums of products of 8 bits are exact in float64 up to 10^11 numbers.

    Args:
        a: uint8 of any shape.
        b: uint8 of the same shape.

    Returns:
        0..100. The equation does not cover a picture that is black everywhere: 100 where both are, for they are equal,
        and 0 where one is.

    Raises:
        ValueError: other shapes.
    """
    if a.shape != b.shape:
        raise ValueError(f'cosine_similarity: pictures of {a.shape} and {b.shape}, expected one shape')
    a, b = (picture.astype(np.float64).ravel() for picture in (a, b))
    squares = (a @ a) * (b @ b)
    if squares == 0:
        return 100.0 if not a.any() and not b.any() else 0.0
    return float(min(100.0, 100 * (a @ b) / np.sqrt(squares)))


def mask_iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two masks, in percent.

    Args:
        a: (H, W), bool.
        b: (H, W), bool.

    Returns:
        0..100; 100 where both are empty.

    Raises:
        ValueError: other shapes.
    """
    if a.shape != b.shape:
        raise ValueError(f'mask_iou: masks of {a.shape} and {b.shape}, expected one shape')
    union = np.count_nonzero(a | b)
    return float(100 * np.count_nonzero(a & b) / union) if union else 100.0


def compare_cutouts(image: np.ndarray, predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Cosine similarity of two cut-outs of one image, on black, and IoU of their masks.

    Args:
        image: (H, W, 3), uint8.
        predicted: (H, W), bool.
        truth: (H, W), bool.

    Returns:
        Both in percent. Where nothing is predicted both are 0.
    """
    cosine = cosine_similarity(cut_out(image, predicted), cut_out(image, truth))
    return cosine, mask_iou(predicted, truth)
