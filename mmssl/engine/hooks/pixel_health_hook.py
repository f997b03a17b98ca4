"""Watch whether pixel-level pretraining goes wrong."""

import math

from mmengine.hooks import Hook
from torch import Tensor

from mmssl.engine.run_parts import plain_model
from mmssl.errors import DataError
from mmssl.registry import HOOKS

KEYS = ('feature_std', 'no_overlap')
INFO = 'pixel_health'


@HOOKS.register_module()
class PixelHealthHook(Hook):
    """Warn of a collapse, count batches whose views do not overlap, and stop where none do.

    The numbers themselves (``cosine``, ``num_positives``, ``no_overlap``, ``feature_std``, ``attention_gamma``) are in
    every line of the log: ``mmssl.PixPro`` returns them beside the loss.

    A collapsed encoder gives every pixel the same feature; the loss is then at its best. The sign is ``feature_std``,
    the standard deviation of the normalised features, near 0; it is 1 / sqrt(C) where features point everywhere. A
    batch in which no image has a positive pair has loss 0 (S1, section 2.4.1) and is counted as skipped; the count is
    kept in checkpoints.

    Args:
        min_std: an alarm below this share of 1 / sqrt(channels), 0 to 1.
        channels: C, of the projection; None reads it from the model's projector (``student.neck.out``).
        patience: iterations in a row, of a ``feature_std`` below ``min_std`` before the one warning, and without any
            overlap before the training stops.

    Raises:
        ValueError: an option outside these values, or a model without these numbers.
        DataError: ``patience`` batches in a row without a positive pair.
    """

    def __init__(self, *, min_std: float = 0.1, channels: int | None = None, patience: int = 100):
        if not 0 <= min_std <= 1:
            raise ValueError(f'PixelHealthHook: min_std={min_std}, expected 0 to 1')
        if patience < 1 or (channels is not None and channels < 1):
            raise ValueError(
                f'PixelHealthHook: patience={patience}, channels={channels}, expected whole numbers from 1'
            )
        self.min_std = min_std
        self.channels = channels
        self.patience = patience
        self._collapsed = self._apart = self._skipped = 0

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Go on counting where the run that is resumed stopped."""
        if runner._resume:
            self._skipped = int(checkpoint.get(INFO, 0))

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Keep the count."""
        checkpoint[INFO] = self._skipped

    def before_train(self, runner) -> None:
        """Find the number of channels."""
        if self.channels is None:
            model = plain_model(runner)
            out = getattr(getattr(getattr(model, 'student', None), 'neck', None), 'out', None)
            if not hasattr(out, 'out_channels'):
                raise ValueError('PixelHealthHook: the model has no student.neck.out, expected channels=...')
            self.channels = out.out_channels

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Look at the numbers of the step."""
        missing = [key for key in KEYS if key not in (outputs or {})]
        if missing:
            raise ValueError(f'PixelHealthHook: the model gives no {missing[0]}, expected mmssl.PixPro')
        std, no_overlap = (float(value) if isinstance(value, Tensor) else value for value in map(outputs.get, KEYS))
        limit = self.min_std / math.sqrt(self.channels)
        self._collapsed = self._collapsed + 1 if std < limit else 0
        if self._collapsed == self.patience:
            runner.logger.warning(
                f'PixelHealthHook: feature_std {std:.2g} for {self.patience} iterations, expected above {limit:.2g}: '
                'all pixels have nearly one feature, the encoder collapses'
            )
        self._apart = self._apart + 1 if no_overlap == 1 else 0
        if not self._apart:
            return
        self._skipped += 1
        if self._apart == self.patience:
            raise DataError(
                f'iteration {runner.iter + 1}: no views overlapped in {self.patience} batches in a row, expected '
                'larger crops, smaller affine ranges or a larger threshold'
            )
        if self._skipped & (self._skipped - 1) == 0:  # 1, 2, 4, ...: told, and no flood
            runner.logger.warning(
                f'PixelHealthHook: no views overlapped in the batch of iteration {runner.iter + 1}, its loss is 0; '
                f'{self._skipped} such batches so far'
            )

    def after_train(self, runner) -> None:
        """Tell the count."""
        if self._skipped:
            runner.logger.warning(f'PixelHealthHook: {self._skipped} batches had no views that overlapped')
