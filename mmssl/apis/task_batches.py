"""Batches of several tasks, made up for a measurement by the pipelines of a recipe."""

import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from torch import nn

from mmssl.datasets.multi_task import SEGMENTATION
from mmssl.errors import one_line
from mmssl.testing import synthetic_images

GEOMETRY = ('Resize', 'Crop')
"""Ends of the names of transforms that change the size of an image."""


def task_batch(pipeline: list[dict], model: nn.Module, batch_size: int, size: tuple[int, int]) -> dict:
    """A batch for a pretext task: noise that went through the task's own pipeline.

    Where the task predicts pixels, the images keep ``size``: what loads, resizes or crops is left out. Where it
    classifies images, their size is part of the task (patches of a puzzle), and only what loads is left out.

    Args:
        pipeline: configs of transforms, from an image to packed inputs.
        model: of the task.
        batch_size: images.
        size: height and width of the images, in pixels.

    Returns:
        ``inputs`` and ``data_samples``, as a loader gives them.
    """
    steps = [step for step in pipeline if 'Load' not in step['type']]
    if hasattr(model, 'decode_head'):
        steps = [step for step in steps if not step['type'].endswith(GEOMETRY)]
    transform = Compose(steps)
    samples = []
    for index, image in enumerate(synthetic_images(size, batch_size)):
        array = image.permute(1, 2, 0).contiguous().numpy()
        known = {'img': array, 'img_path': f'noise_{index}.png', 'img_shape': size, 'ori_shape': size}
        samples.append(transform({**known, 'sample_idx': index, 'seg_fields': []}))
    return pseudo_collate(samples)


def multi_task_batch(
    config: Config, model: nn.Module, segmentation: dict, batch_size: int, size: tuple[int, int], source: str
) -> dict:
    """A batch for every task of a model.

    Args:
        config: the recipe, whose ``train_dataloader`` reads an ``mmssl.MultiTaskSegDataset``.
        model: its ``MultiTaskSegmentor``.
        segmentation: the batch of the segmentation.
        batch_size: images of each pretext task.
        size: height and width of the images, in pixels.
        source: name of the config, for messages.

    Returns:
        ``inputs`` and ``data_samples``, each a dict by task.

    Raises:
        ValueError: the recipe has no pipeline for a task, or one that cannot be run on noise.
    """
    datasets = config.get('train_dataloader', {}).get('dataset', {}).get('tasks', {})
    sides = {SEGMENTATION: segmentation}
    for name, task in model.tasks.items():
        pipeline = datasets.get(name, {}).get('pipeline')
        if not pipeline:
            raise ValueError(
                f'config {source}: no train_dataloader.dataset.tasks.{name}.pipeline, expected one as of '
                'mmssl.MultiTaskSegDataset'
            )
        try:
            with torch.random.fork_rng(devices=[]):
                sides[name] = task_batch(pipeline, task, batch_size, size)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f'config {source}: the pipeline of task {name!r}: {one_line(error)}') from None
    return {key: {name: side[key] for name, side in sides.items()} for key in ('inputs', 'data_samples')}
