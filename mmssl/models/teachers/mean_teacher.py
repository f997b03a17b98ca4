"""A teacher whose weights are a running mean of the student's (S2, section 2.5.5)."""

import copy
from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce_params, get_world_size
from torch import Tensor, nn

from mmssl.errors import DataError

from ..cosine_progress import cosine_progress
from ..layers.batch_norms import BATCH_NORMS

BUFFERS = ('ema', 'copy', 'own')
MODES = ('eval', 'train', 'train_norm')


def ramped_alpha(step: int, alpha: float) -> float:
    """Weight of the teacher's old value at its update number ``step`` (0, 1, ...): min(1 - 1 / (step + 1), alpha).

    The first update copies the student, and until ``alpha`` is reached the teacher is the plain mean of its students.
    """
    return min(1 - 1 / (step + 1), alpha)


def rising_alpha(step: int, total: int, start: float, end: float) -> float:
    """Weight of the old value at the update number ``step`` (0, 1, ...) of ``total``: a cosine from start to end.

        end - (end - start) * (cos(pi * step / total) + 1) / 2

    As BYOL and PixPro have it (S1, section 2.4; the released code of PixPro goes from 0.99 to 1). Beyond ``total`` the
    end is kept.
    """
    return start + (end - start) * cosine_progress(step / total)


class MeanTeacher(nn.Module):
    """A copy of the student that follows it as an exponential moving average, equation 2.16.

        teacher = alpha * teacher + (1 - alpha) * student

    Weights are paired by name. Its parameters need no gradient. ``loss()`` of a model never changes a teacher:
    ``MeanTeacherHook`` does, after a step of the optimiser.

    mmengine's ``ExponentialMovingAverage`` and mmdet's ``MeanTeacherHook`` have no ramp, pair by position, and leave
    the buffers of batch normalisation out or always average them.

    Args:
        student: what is copied; its weights at this moment do not matter, ``synchronize`` takes them later.
        alpha: weight of the old value, 0 to 1.
        end_alpha: the weight rises to this at the end of the training (:func:`rising_alpha`), ``alpha`` to 1; None
            keeps ``alpha``. ``MeanTeacherHook`` tells the number of updates.
        ramp: whether the weight starts from 0 (:func:`ramped_alpha`).
        buffers: of floating point (running statistics of batch normalisation): ``'ema'`` averages them like the
            weights, ``'copy'`` takes the student's, ``'own'`` leaves those that the teacher's forward passes make,
            which takes a mode that makes them. Integer buffers are copied, unless ``'own'``.
        mode: ``'eval'``: always in evaluation mode. ``'train'``: in training mode while the model trains, so that it
            normalises with the batch and drops out, as in the released code of ClassMix and DACS. ``'train_norm'``:
            batch normalisation alone, also the switchable one, is in training mode.
        network: used in the place of a copy, where the teacher has other layers: parameters and buffers of the same
            names and shapes, for example with ``mmssl.MomentumBN`` for BN.

    Raises:
        ValueError: on values outside of these; a network whose names or shapes are not the student's.
    """

    def __init__(
        self,
        student: nn.Module,
        *,
        alpha: float = 0.99,
        end_alpha: float | None = None,
        ramp: bool = True,
        buffers: str = 'ema',
        mode: str = 'eval',
        network: nn.Module | None = None,
    ):
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f'MeanTeacher: alpha={alpha}, expected 0 to 1')
        if end_alpha is not None and not alpha <= end_alpha <= 1:
            raise ValueError(f'MeanTeacher: end_alpha={end_alpha}, expected alpha={alpha} to 1')
        if buffers not in BUFFERS:
            raise ValueError(f'MeanTeacher: buffers={buffers!r}, expected one of {BUFFERS}')
        if mode not in MODES:
            raise ValueError(f'MeanTeacher: mode={mode!r}, expected one of {MODES}')
        if buffers == 'own' and mode == 'eval':
            raise ValueError("MeanTeacher: buffers='own' with mode='eval' never change, expected mode 'train_norm'")
        if network is not None:
            self._pairs(student.state_dict().items(), network.state_dict().items())
        self.alpha = alpha
        self.end_alpha = end_alpha
        self.total_steps: int | None = None
        self.ramp = ramp
        self.buffer_policy = buffers
        self.mode = mode
        self.model = (copy.deepcopy(student) if network is None else network).requires_grad_(False)
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))
        self._steps: int | None = 0  # read from the buffer where it may have changed, so that no step waits for it
        self.ready = False
        self.train(self.training)

    def train(self, mode: bool = True) -> 'MeanTeacher':
        """Set the mode of the copy by the policy, whatever the model around it does."""
        self.training = mode
        self.model.train(mode and self.mode == 'train')
        if mode and self.mode == 'train_norm':
            for module in self.model.modules():
                if isinstance(module, BATCH_NORMS):
                    module.train()
        return self

    @property
    def num_steps(self) -> int:
        """Number of updates since the last ``synchronize``."""
        if self._steps is None:
            self._steps = int(self.steps)
        return self._steps

    def plan(self, total_steps: int) -> None:
        """Tell how many updates the training has, which ``end_alpha`` needs."""
        self.total_steps = total_steps

    def current_alpha(self) -> float:
        """Weight of the old value at the next update, 0 to 1.

        Raises:
            DataError: ``end_alpha`` without a ``plan``.
        """
        alpha = self.alpha
        if self.end_alpha is not None:
            if self.total_steps is None:
                raise DataError('MeanTeacher: end_alpha without the number of updates, expected mmssl.MeanTeacherHook')
            alpha = rising_alpha(self.num_steps, self.total_steps, self.alpha, self.end_alpha)
        return ramped_alpha(self.num_steps, alpha) if self.ramp else alpha

    @torch.no_grad()
    def synchronize(self, student: nn.Module) -> None:
        """Take all weights and buffers of the student and start the ramp again; the same on all ranks."""
        for own, new in self._pairs(student.state_dict().items(), self.model.state_dict().items()):
            own.copy_(new)
        self._average_statistics()
        self.steps.zero_()
        self._steps = 0
        self.ready = True

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """Move towards the student by one step of the average.

        The same on all ranks: buffers, which differ between ranks without synchronised normalisation, are averaged.

        Args:
            student: a module with the same names and shapes.

        Raises:
            ValueError: naming the first tensor that is missing or has another shape.
        """
        weight = 1 - self.current_alpha()
        _lerp(self._pairs(student.named_parameters(), self.model.named_parameters()), weight)
        if self.buffer_policy != 'own':
            pairs = self._pairs(student.named_buffers(), self.model.named_buffers())
            _lerp([pair for pair in pairs if pair[0].is_floating_point()], weight if self.buffer_policy == 'ema' else 1)
            for own, new in pairs:
                if not own.is_floating_point():
                    own.copy_(new)
        self._average_statistics()
        self.steps += 1
        self._steps = self.num_steps + 1

    def _average_statistics(self) -> None:
        """Make the buffers, which follow each rank's own batches, those of all ranks."""
        if get_world_size() > 1:
            all_reduce_params([b for b in self.model.buffers() if b.is_floating_point()], op='mean')

    @staticmethod
    def _pairs(
        student: Iterable[tuple[str, Tensor]], teacher: Iterable[tuple[str, Tensor]]
    ) -> list[tuple[Tensor, Tensor]]:
        found, own = dict(student), dict(teacher)
        for name in sorted(found.keys() ^ own.keys()):
            where = 'teacher' if name in found else 'student'
            raise ValueError(f'MeanTeacher: the {where} has no {name}, expected the same names in both')
        for name, tensor in own.items():
            if tensor.shape != found[name].shape:
                raise ValueError(
                    f'MeanTeacher: {name} is {tuple(found[name].shape)} in the student, {tuple(tensor.shape)} in the '
                    'teacher, expected the same shape'
                )
        return [(tensor, found[name]) for name, tensor in own.items()]

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if f'{prefix}steps' in state_dict:
            self._steps, self.ready = None, True


def _lerp(pairs: list[tuple[Tensor, Tensor]], weight: float) -> None:
    if pairs:
        own, new = zip(*pairs, strict=True)
        torch._foreach_lerp_(list(own), list(new), weight)  # one launch for all, as torch's own averages do
