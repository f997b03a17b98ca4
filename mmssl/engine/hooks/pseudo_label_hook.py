"""Log what the pseudo-labels of semi-supervised training are like."""

import math

import torch
from mmengine.dist import all_reduce, get_rank
from mmengine.hooks import Hook, LoggerHook
from torch import Tensor, nn

from mmssl.engine.run_parts import main_model
from mmssl.evaluation.pseudo_label_statistics import (
    PseudoLabelStatistics,
    confusion_counts,
    mean_iou,
    pseudo_label_sums,
    statistics_from_sums,
)
from mmssl.registry import HOOKS

IGNORE_INDEX = 255
PREFIX = 'train/pseudo/'


def recording_model(runner, hook: str, expected: str = 'mmssl.SemiSupervisedSegmentor') -> nn.Module:
    """The main model of a run; raises ValueError, in the name of a hook, unless it leaves records."""
    model = main_model(runner)
    if not hasattr(model, 'wants_record'):
        raise ValueError(f'{hook}: {type(model).__name__} leaves no record, expected {expected}')
    return model


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Write statistics of the pseudo-labels to the log at every ``interval``-th iteration; it only reads.

    Into the lines of the ``LoggerHook`` and all backends of the visualizer (``vis_data/scalars.json``):
    ``pseudo/confident_share``, the share of pixels whose confidence is above the threshold (S2, equation 2.15 and
    figure 2.9); ``pseudo/mean_confidence`` and ``pseudo/entropy`` (nats) of the teacher; ``pseudo/agreement``, the
    share of the mixed pixels where the student predicts the target; ``pseudo/weight``, the mean lambda_u of the mixed
    pixels; ``pseudo/mIoU``, in percent, where masks are compared. Into a line of their own, and into the visualizer as
    ``pseudo_labels/<class>``: the shares of the classes. They are of the batch of that iteration, over the pixels that
    are not ignored, and over all processes. During the burn-in there are none.

    Args:
        interval: iterations; best that of the ``LoggerHook``.
        threshold: tau, 0 to 1.
        compare_with_masks: whether to compare with the masks of the unlabelled images, which must be loaded for that.

    Raises:
        ValueError: a number is out of its range, the model leaves no records, or the masks to compare with are missing
            or do not fit.
    """

    def __init__(self, *, interval: int = 50, threshold: float = 0.968, compare_with_masks: bool = False):
        if interval < 1:
            raise ValueError(f'PseudoLabelHook: interval={interval}, expected at least 1')
        if not 0 <= threshold <= 1:
            raise ValueError(f'PseudoLabelHook: threshold={threshold}, expected 0 to 1')
        self.interval = interval
        self.threshold = threshold
        self.compare_with_masks = compare_with_masks
        self._outlive_line = False

    def before_train(self, runner) -> None:
        """Check the model; see whether lines of the log fall between two of our iterations."""
        recording_model(runner, 'PseudoLabelHook')
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self._outlive_line = any(interval % self.interval for interval in intervals)
        if any(math.lcm(interval, self.interval) > max(interval, self.interval) for interval in intervals):
            runner.logger.warning(
                f'PseudoLabelHook: interval={self.interval} and LoggerHook has {intervals}: few of its lines will have '
                'our numbers, one interval for both expected'
            )

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Ask for a record; take numbers out of the log that are of an earlier iteration."""
        if self._outlive_line:
            scalars = runner.message_hub.log_scalars
            for key in [key for key in scalars if key.startswith(PREFIX)]:
                del scalars[key]
        if self.every_n_train_iters(runner, self.interval):
            recording_model(runner, 'PseudoLabelHook').wants_record = True

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Measure, add up over the processes, and write."""
        record = recording_model(runner, 'PseudoLabelHook').record
        if record is None or not self.every_n_train_iters(runner, self.interval):
            return
        num_classes = record.probabilities.shape[1]
        sums = [
            pseudo_label_sums(
                record.pseudo_labels,
                record.confidence,
                record.probabilities,
                record.mixed_target,
                record.mixed_weight,
                record.student_logits,
                threshold=self.threshold,
                ignore_index=IGNORE_INDEX,
            )
        ]
        fault = None
        if self.compare_with_masks:
            try:
                confusion = self._compare(record, num_classes)
            except ValueError as error:  # raised below: a process that stops alone leaves the others waiting
                fault, confusion = str(error), sums[0].new_zeros(num_classes**2)
            sums += [confusion.flatten().double(), sums[0].new_tensor([fault is not None])]
        total = torch.cat(sums)
        all_reduce(total)
        total = total.cpu()
        if self.compare_with_masks and total[-1]:
            raise ValueError(f'PseudoLabelHook: {fault or "the masks of another process do not fit"}')
        end = len(sums[0])
        statistics = statistics_from_sums(total[:end].tolist())
        miou = mean_iou(total[end:-1].view(num_classes, num_classes)) if self.compare_with_masks else float('nan')
        self._write(runner, statistics, miou)

    def _compare(self, record, num_classes: int) -> Tensor:
        """(K, K) counts of truth and pseudo-label; raises ValueError where masks do not fit."""
        size = tuple(record.pseudo_labels.shape[-2:])
        need = (
            'compare_with_masks=True needs a dataset with masks as the unlabelled one, and in its pipeline '
            'mmssl.LoadSegAnnotations and mmssl.PackUnlabeledInputs with keep_masks=True'
        )
        masks = []
        for sample in record.data_samples:
            name = sample.metainfo.get('img_path', '?')
            if 'gt_sem_seg' not in sample:
                raise ValueError(f'{name}: the unlabelled sample has no mask; {need}')
            mask = sample.gt_sem_seg.data[0]
            if tuple(mask.shape) != size:
                found, expected = ('x'.join(map(str, shape)) for shape in (mask.shape, size))
                raise ValueError(f'{name}: mask of {found}, expected {expected} as the image of the network; {need}')
            masks.append(mask.to(record.pseudo_labels.device))
        truth = torch.stack(masks)
        unknown = truth[(truth != IGNORE_INDEX) & ((truth < 0) | (truth >= num_classes))]
        if unknown.numel():
            raise ValueError(
                f'a mask of the unlabelled images has label {int(unknown[0])}, expected 0 to {num_classes - 1} or '
                f'{IGNORE_INDEX} (ignored)'
            )
        return confusion_counts(record.pseudo_labels, truth, num_classes, IGNORE_INDEX)

    def _write(self, runner, statistics: PseudoLabelStatistics, miou: float) -> None:
        for key in ('confident_share', 'mean_confidence', 'entropy', 'agreement', 'weight'):
            _update(runner, key, getattr(statistics, key))
        _update(runner, 'mIoU', miou)
        shares = statistics.class_shares
        if get_rank() or math.isnan(sum(shares)):
            return
        classes = runner.train_dataloader.dataset.metainfo['classes']
        names = [*classes, *(f'class {index}' for index in range(len(classes), len(shares)))][: len(shares)]
        runner.visualizer.add_scalars(
            {f'pseudo_labels/{name}': share for name, share in zip(names, shares, strict=True)}, step=runner.iter + 1
        )
        ordered = sorted(zip(shares, names, strict=True), key=lambda pair: -pair[0])
        present = ', '.join(f'{name} {_percent(share)}' for share, name in ordered if share)
        absent = ', '.join(name for share, name in ordered if not share)
        runner.logger.info(f'pseudo-labels: {present}' + (f'; none of {absent}' if absent else ''))


def _update(runner, key: str, value: float) -> None:
    """A batch without a pixel to look at has no number, and JSON no NaN."""
    if not math.isnan(value):
        runner.message_hub.update_scalar(PREFIX + key, value)


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %' if share >= 0.0005 else '<0.1 %'
