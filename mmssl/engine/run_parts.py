"""Where hooks and loops find the model, the images and the batch of the main task, whatever is around them."""

from collections.abc import Sequence

from mmengine.model import is_model_wrapper
from torch import nn

from mmssl.datasets.multi_task import SEGMENTATION, MultiTaskSegDataset
from mmssl.models.segmentors.multi_task import MultiTaskSegmentor


def plain_model(runner) -> nn.Module:
    """The model of a run behind wrappers such as DistributedDataParallel."""
    model = runner.model
    while is_model_wrapper(model):
        model = model.module
    return model


def main_model(runner) -> nn.Module:
    """The model of a run; of a ``MultiTaskSegmentor`` the segmentor, beside which the pretext tasks stand."""
    model = plain_model(runner)
    return model.segmentor if isinstance(model, MultiTaskSegmentor) else model


def main_dataset(runner):
    """The training images; of a ``MultiTaskSegDataset`` those of the segmentation."""
    dataset = runner.train_dataloader.dataset
    dataset = getattr(dataset, '_dataset', dataset)  # mmengine's slice for num_batch_per_epoch
    return dataset.sides[SEGMENTATION] if isinstance(dataset, MultiTaskSegDataset) else dataset


def main_samples(data_batch: dict) -> Sequence | dict[str, Sequence]:
    """The data samples of a batch; of one with several tasks those of the segmentation.

    Args:
        data_batch: as the dataloader gives it.

    Returns:
        A sequence of samples, or of a ``PairedDataset`` a dict with ``labeled`` and ``unlabeled``.
    """
    samples = data_batch['data_samples']
    return samples[SEGMENTATION] if isinstance(samples, dict) and SEGMENTATION in samples else samples
