"""How alike the cut-outs of a network and of the truth are (S3, section 4.3.3)."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from mmssl.errors import DataError
from mmssl.registry import METRICS

from .cutouts import INSTANCES, check_score_thr, class_ids, compare_cutouts, union_mask


@METRICS.register_module()
class CutoutSimilarityMetric(BaseMetric):
    """Cosine similarity of what stays of an image by the predicted masks and by the true ones (equation 23, table 4.4).

    The background is black, masks and images have their original size, and the mean is over images. Beside it stands
    the IoU of the same masks, which does not depend on the colours: a dark object missed costs little of the cosine.
    Images without a true instance (of the chosen classes) have nothing to compare with and are left out; crowds of
    COCO are no instances, as in the host's ``gt_instances``. Where nothing is predicted both values are 0.

    Results: ``cutout/cosine`` and ``cutout/iou`` in percent (NaN without images), ``cutout/images``, how many they are
    over, and ``cutout/left_out``, how many have no instance.

    Args:
        score_thr: predictions with a score above it count, 0..1. One below the model's own does not bring back what
            the model leaves out.
        instances: ``'all'``, ``'largest'`` (of the predicted and of the true ones) or names of classes.
        collect_device: ``'cpu'`` or ``'gpu'``, where the results of several ranks meet.
        prefix: put before the names, ``cutout`` where None.
        collect_dir: folder for results on their way between ranks, with ``'cpu'``.

    Raises:
        ValueError: a threshold outside 0..1; when the classes of the data become known, a name that is none of them.
    """

    default_prefix = 'cutout'

    def __init__(
        self,
        *,
        score_thr: float = 0.5,
        instances: str | Sequence[str] = 'all',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ):
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.score_thr = check_score_thr(score_thr)
        self.instances = instances
        if instances not in INSTANCES:
            class_ids(instances, instances)  # no other word, not empty

    @property
    def dataset_meta(self) -> dict | None:
        """Meta information of the data, with its ``classes``."""
        return self._dataset_meta

    @dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict | None) -> None:
        if dataset_meta and self.instances not in INSTANCES:
            class_ids(self.instances, dataset_meta.get('classes', ()))
        self._dataset_meta = dataset_meta

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Compare one batch; each sample leaves one result, as the collection from several ranks needs it.

        Raises:
            DataError: an image that cannot be read, or masks of another size than it.
            ValueError: a sample without predicted or true masks.
        """
        chosen = self.instances
        if chosen not in INSTANCES:
            chosen = class_ids(chosen, self.dataset_meta['classes'])
        for sample in data_samples:
            path = sample.get('img_path')
            for key in ('pred_instances', 'gt_instances'):
                if 'masks' not in sample.get(key, ()):
                    raise ValueError(
                        f'{path}: CutoutSimilarityMetric found no masks in {key}, expected an instance segmentation '
                        'model and LoadAnnotations with with_mask=True in the test pipeline'
                    )
            truth = sample['gt_instances']
            true_mask = union_mask(bitmaps(truth['masks']), torch.as_tensor(truth['labels']).cpu(), chosen).numpy()
            if not true_mask.any():
                self.results.append((float('nan'), float('nan')))
                continue
            found = sample['pred_instances']
            keep = found['scores'] > self.score_thr
            predicted = union_mask(found['masks'][keep], found['labels'][keep], chosen).cpu().numpy()
            image = read_image(path)
            check_sizes(path, image, predicted=predicted, true=true_mask)
            self.results.append(compare_cutouts(image, predicted, true_mask))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Means over the images with a true instance, percent, rounded to 4 digits."""
        values = np.array(results, dtype=np.float64).reshape(-1, 2)
        compared = values[~np.isnan(values[:, 0])]
        left_out = len(values) - len(compared)
        if left_out:
            print_log(f'cut-outs: {left_out} of {len(values)} images have no true instance, left out', logger='current')
        cosine, iou = compared.mean(axis=0) if len(compared) else (float('nan'), float('nan'))
        means = {'cosine': round(float(cosine), 4), 'iou': round(float(iou), 4)}
        return {**means, 'images': len(compared), 'left_out': left_out}


def bitmaps(masks) -> Tensor:
    """Masks of the host as bits.

    Args:
        masks: mmdet's ``BitmapMasks`` or ``PolygonMasks``, or a tensor or array (N, H, W).

    Returns:
        (N, H, W), bool, on the CPU.
    """
    if hasattr(masks, 'to_ndarray'):
        masks = masks.to_ndarray().reshape(len(masks), masks.height, masks.width)
    return torch.as_tensor(masks).cpu().bool()


def read_image(path: str) -> np.ndarray:
    """Read an image as the host's pipelines do: (H, W, 3) uint8 BGR, turned as its EXIF says.

    Raises:
        DataError: it cannot be read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f'{path}: no such file or not a readable image, expected the image that was predicted')
    return image


def check_sizes(path: str, image: np.ndarray, **masks: np.ndarray) -> None:
    """Raise DataError unless an image and its masks, under names that the message says, have one size."""
    for kind, mask in masks.items():
        if mask.shape != image.shape[:2]:
            hint = '; LoadAnnotations belongs behind Resize in the test pipeline' if kind == 'true' else ''
            raise DataError(
                f'{path}: {kind} masks of {mask.shape}, expected the size {image.shape[:2]} of the image{hint}'
            )
