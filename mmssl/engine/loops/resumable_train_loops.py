"""Training loops that a resumed run continues exactly where it stopped."""

from collections.abc import Iterator

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop
from torch.utils.data import DataLoader

from mmssl.datasets.numbered_batches import NumberedBatches, SeededDataset
from mmssl.errors import DataError
from mmssl.random_state import STEP, seed_all
from mmssl.registry import LOOPS


def numbered_loader(loader: DataLoader, seed: int, rank: int, endless: bool) -> DataLoader:
    """The same loader, of numbered batches and seeded samples.

    Args:
        loader: as the Runner builds it; it is not iterated.
        seed: of the run, at least 0.
        rank: of this process.
        endless: whether its iterator goes on with the next epoch by itself.

    Returns:
        A loader whose ``batch_sampler`` is a :class:`~mmssl.datasets.numbered_batches.NumberedBatches`.

    Raises:
        DataError: the dataset is a stream without places.
    """
    if loader.batch_sampler is None:
        raise DataError(f'{type(loader.dataset).__name__}: no batches of indices, a dataset with a length expected')
    return DataLoader(
        SeededDataset(loader.dataset, seed, rank),
        batch_sampler=NumberedBatches(loader.batch_sampler, endless),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


@LOOPS.register_module()
class ResumableIterBasedTrainLoop(IterBasedTrainLoop):
    """mmengine's loop that counts iterations, with draws that depend on the iteration alone.

    mmengine saves no random state, and loads all batches again that were trained on (0.10.7). Here every iteration and
    every sample is seeded by its number (:func:`~mmssl.random_state.seed_all`), so that nothing has to be saved, a
    resumed run gives the bits of an uninterrupted one, and it starts at once. A run that ended during a validation, or
    before it, is resumed with that validation.

    The arguments are those of ``IterBasedTrainLoop``.
    """

    def __init__(self, runner, dataloader, *args, **kwargs) -> None:
        loader = _built(runner, dataloader)
        super().__init__(runner, _NotIterated(loader), *args, **kwargs)
        self.dataloader = loader
        self.dataloader_iterator = None

    def run(self):
        """Train; returns the model."""
        self.runner.call_hook('before_train')
        # One epoch for the hooks, whatever the number of passes over the data.
        self.runner.call_hook('before_train_epoch')
        self.dataloader_iterator = self._batches(self._iter)
        if self._iter:
            self._validate()  # a checkpoint is written before the validation of its iteration
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            self._validate()
        self.dataloader_iterator = None  # ends the workers
        self.runner.call_hook('after_train_epoch')
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_iter(self, data_batch) -> None:
        """One iteration, with draws of its own."""
        seed_all(self.runner.seed, get_rank(), STEP, 0, self._iter)
        super().run_iter(data_batch)

    def _validate(self) -> None:
        due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
        if self.runner.val_loop is not None and self._iter >= self.val_begin and due:
            self.runner.val_loop.run()

    def _batches(self, first: int) -> Iterator:
        loader = numbered_loader(self.dataloader, self.runner.seed, get_rank(), endless=True)
        loader.batch_sampler.begin(0, first)
        return iter(loader)


@LOOPS.register_module()
class ResumableEpochBasedTrainLoop(EpochBasedTrainLoop):
    """mmengine's loop that counts epochs, with draws that depend on epoch and iteration alone.

    As :class:`ResumableIterBasedTrainLoop`. Also a checkpoint from the middle of an epoch is continued there, where
    mmengine would begin the epoch anew (0.10.7).

    The arguments are those of ``EpochBasedTrainLoop``.
    """

    def __init__(self, runner, dataloader, *args, **kwargs) -> None:
        super().__init__(runner, _built(runner, dataloader), *args, **kwargs)
        self.resumed_epoch_length: int | None = None
        """Iterations of an epoch in the run that is resumed, where it had another number."""
        self._numbered: DataLoader | None = None

    def run(self):
        """Train; returns the model."""
        self.runner.call_hook('before_train')
        if self._iter == self._epoch * len(self.dataloader):
            self._validate()  # a checkpoint is written before the validation of its epoch
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._decide_current_val_interval()
            self._validate()
        self._numbered = None  # ends persistent workers
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """An epoch, or what is left of it."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        if self._numbered is None:
            self._numbered = numbered_loader(self.dataloader, self.runner.seed, get_rank(), endless=False)
        first = self._first_batch()
        self._numbered.batch_sampler.begin(self._epoch, first)
        for index, data_batch in enumerate(self._numbered, first):
            self.run_iter(index, data_batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch) -> None:
        """One iteration, with draws of its own."""
        seed_all(self.runner.seed, get_rank(), STEP, self._epoch, idx)
        super().run_iter(idx, data_batch)

    def _validate(self) -> None:
        due = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        if self.runner.val_loop is not None and self._epoch >= max(1, self.val_begin) and due:
            self.runner.val_loop.run()

    def _first_batch(self) -> int:
        """Batches of this epoch that were trained on before; sets the iteration where epochs have another length."""
        length = len(self.dataloader)
        before = self.resumed_epoch_length or length
        first = self._iter - self._epoch * before
        if before != length:
            first = round(first * length / before)
            self._iter = self._epoch * length + first
            self.resumed_epoch_length = None
        return first


def _built(runner, dataloader) -> DataLoader:
    if not isinstance(dataloader, dict):
        return dataloader
    diff_rank_seed = runner._randomness_cfg.get('diff_rank_seed', False)
    return runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=diff_rank_seed)


class _NotIterated:
    """Stands for a loader while mmengine's loop is made, which starts an iterator, and its workers, at once."""

    def __init__(self, loader: DataLoader) -> None:
        self.dataset = loader.dataset

    def __iter__(self) -> Iterator:
        return iter(())
