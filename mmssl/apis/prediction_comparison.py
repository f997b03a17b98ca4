"""What several trained networks predict for the same images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.registry import DATASETS
from torch import nn

from mmssl.apis.any_model import fill_model
from mmssl.apis.config import load_config
from mmssl.apis.segmentor_workload import build_segmentor
from mmssl.tensor_file import read_state_dict
from mmssl.visualization.mask_picture import distinct_palette


@dataclass(frozen=True)
class PredictionComparison:
    """Images with their truth and the predictions of several networks.

    Attributes:
        classes: K names.
        palette: K colours, RGB in 0..255.
        names: of the N images, their ``img_path``.
        images: N times (H, W, 3) uint8 RGB, what the networks are given before normalisation.
        truths: N times (h, w) integers, ids of classes, 255 for ignored pixels.
        predictions: one list a network, each N times (h, w) int64 ids of classes.
    """

    classes: tuple[str, ...]
    palette: list[list[int]]
    names: list[str]
    images: list[np.ndarray]
    truths: list[np.ndarray]
    predictions: list[list[np.ndarray]]


def compare_predictions(runs: Sequence[tuple[str, str]], count: int = 4, device: str = 'cpu') -> PredictionComparison:
    """Let trained networks predict the first test images, which their configs must share.

    Args:
        runs: config and checkpoint of each network; a semi-supervised one predicts with the network that its
            ``predict_on`` names.
        count: number of images, from the beginning of the dataset; all of them where it has fewer.
        device: where the networks run.

    Returns:
        Images, truth and predictions.

    Raises:
        FileNotFoundError: a config or a checkpoint is missing.
        ValueError: nothing to compare, a config without ``test_dataloader``, an image without a mask, or configs whose
            classes or test images differ.
        DataError: a checkpoint does not fit the model of its config.
    """
    if not runs or count < 1:
        raise ValueError(f'compare_predictions: {len(runs)} runs, {count} images, expected at least 1 of each')
    first, predictions = None, []
    for config, checkpoint in runs:
        cfg = load_config(config)
        model = build_segmentor(cfg, config, device)
        fill_model(model, read_state_dict(checkpoint, 'checkpoint'), f'checkpoint {checkpoint}')
        dataset, samples = _test_samples(cfg, config, count)
        content = [_content(sample, config) for sample in samples]
        if first is None:
            first = config, dataset, content
        _check_same(first, (config, dataset, content))
        predictions.append(_predict(model, samples))
    _, dataset, content = first
    classes = tuple(dataset.metainfo['classes'])
    names, images, truths = (list(column) for column in zip(*content, strict=True))
    palette = [list(colour) for colour in dataset.metainfo.get('palette') or distinct_palette(len(classes))]
    return PredictionComparison(classes, palette, names, images, truths, predictions)


def _test_samples(cfg: Config, config: str, count: int) -> tuple[BaseDataset, list[dict]]:
    """The test dataset and its first samples."""
    if not cfg.get('test_dataloader'):
        raise ValueError(f'config {config}: no test_dataloader, expected the images to compare on')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    return dataset, [dataset[index] for index in range(min(count, len(dataset)))]


def _content(sample: dict, config: str) -> tuple[str, np.ndarray, np.ndarray]:
    """Name, RGB image and truth of a sample."""
    name = sample['data_samples'].metainfo.get('img_path', '')
    if 'gt_sem_seg' not in sample['data_samples']:
        raise ValueError(f'config {config}: test image {name} comes without a mask, expected gt_sem_seg')
    # The hosts load images as BGR.
    image = np.ascontiguousarray(sample['inputs'].numpy().transpose(1, 2, 0)[..., ::-1])
    # The model writes into its samples.
    return name, image, sample['data_samples'].gt_sem_seg.data.squeeze(0).numpy().copy()


def _check_same(first: tuple, other: tuple) -> None:
    """Raise unless two configs give the same classes, images and masks."""
    (config, dataset, content), (other_config, other_dataset, other_content) = first, other
    classes = [tuple(each.metainfo['classes']) for each in (dataset, other_dataset)]
    if classes[0] != classes[1]:
        raise ValueError(f'config {other_config}: classes {classes[1]}, expected those of {config}: {classes[0]}')
    if len(dataset) != len(other_dataset):
        raise ValueError(
            f'config {other_config}: {len(other_dataset)} test images, expected {len(dataset)} as in {config}'
        )
    for (name, *arrays), (other_name, *others) in zip(content, other_content, strict=True):
        if name != other_name or not all(map(np.array_equal, arrays, others)):
            raise ValueError(
                f'config {other_config}: test image {other_name} differs from {name} of {config}, expected the same '
                'images and masks'
            )


@torch.no_grad()
def _predict(model: nn.Module, samples: list[dict]) -> list[np.ndarray]:
    """(h, w) class ids of each sample, at the size of its mask."""
    model.eval()
    outputs = [model.test_step(pseudo_collate([sample]))[0] for sample in samples]
    return [output.pred_sem_seg.data.squeeze(0).cpu().numpy() for output in outputs]
