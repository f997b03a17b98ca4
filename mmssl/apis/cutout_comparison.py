"""Cut-outs of several networks and of the truth, for the same images (S3, figure 4.14 and table 4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmssl.apis.background_removal import read_image
from mmssl.apis.coco_truth import TrueImage
from mmssl.apis.mask_prediction import MaskPredictor
from mmssl.evaluation.cutout_similarity import check_sizes
from mmssl.evaluation.cutouts import INSTANCES, class_ids, compare_cutouts, cut_out, union_mask
from mmssl.visualization.cutout_sheet import cutout_sheet


@dataclass
class ModelCutouts:
    """What one network makes of the images.

    Attributes:
        name: of the network.
        cosine: percent, one an image.
        iou: percent, one an image.
        masks: (H, W), bool, of the first images, those that are shown.
    """

    name: str
    cosine: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)


@dataclass(frozen=True)
class TrueMask:
    """An image with what is to stay of it: (H, W), bool, packed to bits."""

    path: str
    shape: tuple[int, int]
    bits: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(H, W), bool."""
        return np.unpackbits(self.bits, count=self.shape[0] * self.shape[1]).reshape(self.shape).astype(bool)


def true_masks(
    images: Sequence[TrueImage], classes: Sequence[str], instances: str | Sequence[str] = 'all'
) -> tuple[list[TrueMask], list[str]]:
    """Masks of the true instances.

    Args:
        images: of :func:`mmssl.apis.coco_truth.choose_images`.
        classes: K names of the annotations.
        instances: ``'all'``, ``'largest'`` or names of classes.

    Returns:
        Images with such an instance, and the paths of the others, which are left out.

    Raises:
        ValueError: unknown classes.
    """
    chosen = instances if instances in INSTANCES else class_ids(instances, classes)
    kept, left_out = [], []
    for image in images:
        mask = union_mask(*image.instances(), chosen).numpy()
        if mask.any():
            kept.append(TrueMask(image.path, mask.shape, np.packbits(mask)))
        else:
            left_out.append(image.path)
    return kept, left_out


def evaluate_cutouts(
    name: str,
    predictor: MaskPredictor,
    truths: Sequence[TrueMask],
    instances: str | Sequence[str] = 'all',
    shown: int = 0,
    progress: bool = True,
) -> ModelCutouts:
    """Let a network cut out the images, one after the other.

    Args:
        name: of the network.
        predictor: finds the instances.
        truths: of :func:`true_masks`.
        instances: ``'all'``, ``'largest'`` or names of classes.
        shown: how many masks to keep, from the first.
        progress: whether to show a bar.

    Returns:
        Similarity to the truth, and some masks.

    Raises:
        DataError: an image cannot be read, or has another size than its annotation.
        ValueError: classes that the network does not know.
    """
    chosen = instances if instances in INSTANCES else class_ids(instances, predictor.classes or ())
    result = ModelCutouts(name)
    for truth in tqdm(truths, desc=name, unit='image', disable=not progress):
        image, true_mask = read_image(truth.path), truth.mask
        check_sizes(truth.path, image, annotated=true_mask)
        (found,) = predictor.predict([predictor.prepare(image)])
        mask = union_mask(found.masks, found.labels, chosen).cpu().numpy()
        cosine, iou = compare_cutouts(image, mask, true_mask)
        result.cosine.append(cosine)
        result.iou.append(iou)
        if len(result.masks) < shown:
            result.masks.append(mask)
    return result


def comparison_sheet(truths: Sequence[TrueMask], models: Sequence[ModelCutouts]) -> np.ndarray:
    """Draw original, a column a network with its similarity, and truth, as figure 4.14.

    Args:
        truths: images, as many as the networks kept masks or more.
        models: of :func:`evaluate_cutouts`.

    Returns:
        (height, width, 3), uint8, BGR.
    """
    shown = truths[: len(models[0].masks)]
    rows, titles = [], []
    for index, truth in enumerate(shown):
        image = read_image(truth.path)
        cut = [cut_out(image, model.masks[index]) for model in models]
        rows.append([image, *cut, cut_out(image, truth.mask)])
        titles.append(['original', *(f'{model.name} {model.cosine[index]:.2f} %' for model in models), 'truth'])
    return cutout_sheet(rows, titles, [Path(truth.path).name for truth in shown])
