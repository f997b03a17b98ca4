"""Look at paired data before the first iteration."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from mmengine.dataset import DefaultSampler
from mmengine.dataset import InfiniteSampler as MMEngineInfiniteSampler
from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.hooks import Hook

from mmssl.datasets.infinite_sampler import InfiniteSampler
from mmssl.datasets.multi_task import MultiTaskSegDataset
from mmssl.datasets.paired import PairedDataset
from mmssl.datasets.split_list import first_few
from mmssl.engine.run_parts import main_dataset, main_model, main_samples
from mmssl.errors import DataError, one_line
from mmssl.registry import HOOKS

from .class_check import check_classes, check_labels, sample_name, without_label
from .size_check import KINDS, batch_sizes, by_size, choose_samples, load_sample

MOST_SIZES = 8


@contextmanager
def unchanged_randomness() -> Iterator[None]:
    """Give Python's, numpy's and torch's generators their states back."""
    states = random.getstate(), np.random.get_state()
    devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


@HOOKS.register_module()
class PairedDataCheckHook(Hook):
    """Find faults of labelled and unlabelled images before training, also of a resumed run; one line each.

    Found: no ``PairedDataset``, also as the segmentation of several tasks; other classes in the model or in the
    validation images; labelled samples without a mask, with wrong ids, or none with a labelled pixel; images of one
    side that do not become one size; with ``mix_source='labeled'``, another size of the labelled than of the
    unlabelled batch. A few images go through the pipelines for this; of the others the headers are read. Rank 0 looks,
    all ranks raise. Random states are left as they were.

    While training, a batch whose labelled images have no labelled pixel is warned of once; how many there were stands
    in the log at the end.

    Args:
        num_samples: labelled samples to take through the pipeline, at least 1.

    Raises:
        DataError: on every rank, for the faults above.
        ValueError: ``num_samples`` below 1.
    """

    priority = 'HIGH'

    def __init__(self, *, num_samples: int = 16) -> None:
        if num_samples < 1:
            raise ValueError(f'PairedDataCheckHook: num_samples={num_samples}, expected at least 1')
        self.num_samples = num_samples
        self._without_label = 0

    def before_train(self, runner) -> None:
        """Look on rank 0, raise on all."""
        self._without_label = 0
        error, text = None, [None]
        if is_main_process():
            try:
                with unchanged_randomness():
                    self._check(runner)
            except Exception as caught:  # handed to all ranks: one that raises alone leaves the others waiting
                error, text = caught, [one_line(caught)]
        broadcast_object_list(text)
        if text[0] is not None:
            raise error or DataError(text[0])

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Count a batch without a labelled pixel; the masks are still on the CPU here."""
        samples = main_samples(data_batch)['labeled']
        if not all(without_label(sample) for sample in samples):
            return
        if not self._without_label:
            names = first_few([sample_name(sample) for sample in samples])
            runner.logger.warning(
                f'PairedDataCheckHook: no labelled pixel in the batch of iteration {runner.iter + 1} ({names}); its '
                'supervised loss is 0. Further ones are counted, not told'
            )
        self._without_label += 1

    def after_train(self, runner) -> None:
        """Tell how many batches had no labelled pixel, over all ranks."""
        number = sum(all_gather_object(self._without_label))
        if number:
            runner.logger.warning(f'PairedDataCheckHook: {number} batches of this run had no labelled pixel')

    def _check(self, runner) -> None:
        model = main_model(runner)
        loader = runner.train_dataloader
        dataset, several = main_dataset(runner), isinstance(loader.dataset, MultiTaskSegDataset)
        if not isinstance(dataset, PairedDataset):
            raise DataError(
                f'train_dataloader.dataset{".segmentation" if several else ""} is {type(dataset).__name__}, expected '
                'mmssl.PairedDataset with a labelled and an unlabelled dataset'
            )
        if isinstance(loader.sampler, (DefaultSampler, MMEngineInfiniteSampler, InfiniteSampler)):
            runner.logger.warning(
                f'PairedDataCheckHook: train_dataloader.sampler is {type(loader.sampler).__name__}, which gives each '
                'unlabelled image the same labelled ones again and again; expected '
                f'mmssl.{"MultiTask" if several else "Paired"}InfiniteSampler'
            )
        self._check_classes(runner, dataset, model)
        self._check_sizes(dataset, model)

    def _check_classes(self, runner, dataset: PairedDataset, model: torch.nn.Module) -> None:
        classes, num_classes = dataset.metainfo.get('classes'), getattr(model, 'num_classes', None)
        val_loader = getattr(runner.val_loop, 'dataloader', None)
        val_classes = getattr(val_loader.dataset, 'metainfo', {}).get('classes') if val_loader else None
        check_classes(classes, num_classes, val_classes)
        count = min(self.num_samples, len(dataset.labeled))
        samples = [load_sample(dataset.labeled, position, 'labeled')['data_samples'] for position in range(count)]
        empty = check_labels(samples, num_classes or len(classes))
        if empty:
            runner.logger.warning(
                f'PairedDataCheckHook: {len(empty)} of the first {count} labelled samples have no labelled pixel '
                f'({first_few(empty)})'
            )

    def _check_sizes(self, dataset: PairedDataset, model: torch.nn.Module) -> None:
        samples, stored = {}, {}
        for kind in KINDS:
            chosen = list(choose_samples(by_size(getattr(dataset, kind), KINDS[kind]), MOST_SIZES))
            samples[kind] = [load_sample(base, position, kind) for _, base, position in chosen]
            stored[kind] = [size for size, *_ in chosen]
        sizes = batch_sizes(model.data_preprocessor, samples, stored)
        if getattr(model, 'mix_source', None) == 'labeled' and sizes['labeled'] != sizes['unlabeled']:
            told = [f'{KINDS[kind]} batches have {height}x{width}' for kind, (height, width) in sizes.items()]
            raise DataError(
                f"{' and '.join(told)} pixels; expected one size, for mix_source='labeled' pastes one on the other: "
                'the same RandomCrop in both pipelines and data_preprocessor.size'
            )
