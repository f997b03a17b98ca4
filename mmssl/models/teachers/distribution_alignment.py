"""Push the distribution of predictions towards a given one (S2, section 2.5.6)."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmssl.errors import DataError, DataNotFoundError


def align(probabilities: Tensor, target: Tensor, running: Tensor) -> Tensor:
    """Scale probabilities by target / running and normalise them again.

    Args:
        probabilities: (B, K, H, W), float, sums to 1 over the classes.
        target: (K,), share of each class that is wanted, sums to 1.
        running: (K,), share of each class in recent predictions.

    Returns:
        (B, K, H, W), float, sums to 1 over the classes.
    """
    tiny = torch.finfo(probabilities.dtype).tiny
    scaled = probabilities * (target / running.clamp(min=1e-6))[:, None, None]
    return scaled / scaled.sum(1, keepdim=True).clamp(min=tiny)


def mean_prediction(probabilities: Tensor, valid: Tensor) -> Tensor:
    """Mean of the distributions over the valid pixels of a batch.

    Args:
        probabilities: (B, K, H, W), float.
        valid: (B, H, W), bool.

    Returns:
        (K + 1,): the sums over the valid pixels and, last, their number; over several ranks these add up.
    """
    sums = torch.einsum('bkhw,bhw->k', probabilities, valid.to(probabilities.dtype))
    return torch.cat([sums, valid.sum().to(sums)[None]])


class DistributionAlignment(nn.Module):
    """Distribution alignment with an exponential moving average of the predictions (S2, sections 2.5.6 and 5.2.2).

        running = momentum * running + (1 - momentum) * mean prediction of the batch

    The average starts at the target distribution, so that nothing is changed before predictions drift, and is the
    same on all ranks.

    Args:
        num_classes: K.
        target: share of each class that is wanted, K numbers; the JSON file that
            ``tools/analysis_tools/class_frequencies.py --json`` writes, or one with a list of numbers; or
            ``'labeled'``: ``mmssl.ClassShareHook`` counts the labelled masks before the first iteration.
        momentum: weight of the old value, 0 to 1.

    Raises:
        ValueError: not K numbers, negative ones, all zero, or a momentum outside its range.
        DataError: the file does not exist or holds no numbers.
    """

    def __init__(self, *, num_classes: int, target: Sequence[float] | str, momentum: float = 0.99):
        super().__init__()
        if not 0 <= momentum <= 1:
            raise ValueError(f'DistributionAlignment: momentum={momentum}, expected 0 to 1')
        self.momentum = momentum
        self.of_labeled = isinstance(target, str) and target == 'labeled'
        self.register_buffer('target', torch.zeros(num_classes))
        self.register_buffer('running', torch.zeros(num_classes))
        self._known = False  # whether there is a target; kept here, so that no step waits for the device to tell
        if not self.of_labeled:
            self.set_target(read_shares(target) if isinstance(target, str) else target)

    @torch.no_grad()
    def set_target(self, shares: Sequence[float]) -> None:
        """Use these shares from now on; the average starts there, unless it has started before.

        Args:
            shares: K numbers, none negative; divided by their sum.

        Raises:
            ValueError: on others.
        """
        wanted = torch.tensor([float(share) for share in shares])
        if wanted.numel() != self.target.numel():
            raise ValueError(
                f'DistributionAlignment: target has {wanted.numel()} shares, the model {self.target.numel()} classes'
            )
        if bool((wanted < 0).any()) or not bool(wanted.any()):
            raise ValueError(
                f'DistributionAlignment: target={wanted.tolist()}, expected shares of the classes, none negative'
            )
        self.target.copy_(wanted / wanted.sum())
        if not bool(self.running.any()):
            self.running.copy_(self.target)
        self._known = True

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._known = bool(self.target.any())

    @torch.no_grad()
    def forward(self, probabilities: Tensor, valid: Tensor) -> Tensor:
        """Update the average with a batch, then align the batch.

        Args:
            probabilities: (B, K, H, W), float, of the teacher on the weak view.
            valid: (B, H, W), bool: where there is image.

        Returns:
            (B, K, H, W), float.

        Raises:
            DataError: the labelled masks were never counted.
        """
        if not self._known:
            raise DataError("distribution_alignment.target='labeled' was not counted: add mmssl.ClassShareHook")
        sums = mean_prediction(probabilities.float(), valid)
        all_reduce(sums)
        # Without a valid pixel the mean is that of before.
        mean = torch.where(sums[-1] > 0, sums[:-1] / sums[-1].clamp(min=1), self.running)
        self.running.lerp_(mean, 1 - self.momentum)
        return align(probabilities, self.target, self.running)


def read_shares(path: str) -> list[float]:
    """Read the shares of the classes from a JSON file.

    Args:
        path: a list of numbers, or what ``tools/analysis_tools/class_frequencies.py --json`` writes of one dataset.

    Returns:
        The numbers.

    Raises:
        DataNotFoundError: there is no such file.
        DataError: it holds something else.
    """
    file = Path(path)
    if not file.is_file():
        raise DataNotFoundError(
            f'{path}: the file of class shares does not exist; tools/analysis_tools/class_frequencies.py writes it'
        )
    try:
        found = json.loads(file.read_text())
    except ValueError:
        raise DataError(f'{path}: not JSON, expected a list of class shares') from None
    if isinstance(found, dict) and len(found.get('datasets', ())) == 1:
        found = list(found['datasets'][0].get('frequencies', {}).values())
    if not isinstance(found, list) or not found or not all(isinstance(share, int | float) for share in found):
        raise DataError(f'{path}: neither numbers nor the frequencies of one dataset, expected the share of each class')
    return [float(share) for share in found]
