"""Error of predicted colours (S0, section 3.2.5)."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from mmssl.registry import METRICS


def squared_sums(predicted: torch.Tensor, target: torch.Tensor) -> list[float]:
    """Sum up what the root mean squared errors of an image need.

    Args:
        predicted: (2, H, W), a and b in Lab units.
        target: (2, H, W), a and b in Lab units, any type.

    Returns:
        Pixels; squared errors of a and of b; squares of the target's a and b.
    """
    target = target.to(predicted.device, torch.float64)
    error = (predicted.double() - target).square().sum(dim=(1, 2))
    return [float(target[0].numel()), *error.tolist(), *target.square().sum(dim=(1, 2)).tolist()]


@METRICS.register_module()
class ColorizationError(BaseMetric):
    """Root mean squared error of a and b in Lab units, beside that of a prediction without colour.

    With sums over all pixels of all images: ``RMSE_a``, ``RMSE_b``; ``RMSE_ab``, the root of the mean over both
    channels; ``RMSE_ab_grey``, the same for a = b = 0 everywhere, and ``vs_grey``, the first divided by the latter: a
    network that has learnt anything is below 1. Where all images are grey, ``vs_grey`` is NaN.

    Args:
        collect_device: ``'cpu'`` or ``'gpu'``, where the results of several ranks meet.
        prefix: put before the names.
        collect_dir: folder for results on their way between ranks, with ``'cpu'``.
    """

    def __init__(self, *, collect_device: str = 'cpu', prefix: str | None = None, collect_dir: str | None = None):
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Sum up one batch.

        Raises:
            ValueError: where a sample has no prediction or target of a and b, or the two differ in size.
        """
        for sample in data_samples:
            where = sample.get('img_path') or 'a sample'
            missing = [key for key in ('seg_logits', 'gt_ab') if key not in sample]
            if missing:
                raise ValueError(
                    f'{where}: ColorizationError found no {missing[0]}, expected predictions of mmssl.ColorizationHead '
                    'and targets of mmssl.ColorizationTarget'
                )
            predicted, target = sample['seg_logits']['data'], sample['gt_ab']['data']
            if predicted.shape != target.shape or predicted.shape[0] != 2:
                raise ValueError(
                    f'{where}: ColorizationError found a prediction of the shape {tuple(predicted.shape)} and a '
                    f'target of {tuple(target.shape)}, expected (2, height, width) for both'
                )
            self.results.append(squared_sums(predicted, target))

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Errors over all images, Lab units, rounded to 4 digits."""
        pixels, a, b, grey_a, grey_b = torch.tensor(results, dtype=torch.float64).sum(dim=0)
        rmse, grey = ((a + b) / (2 * pixels)).sqrt(), ((grey_a + grey_b) / (2 * pixels)).sqrt()
        values = {
            'RMSE_a': (a / pixels).sqrt(),
            'RMSE_b': (b / pixels).sqrt(),
            'RMSE_ab': rmse,
            'RMSE_ab_grey': grey,
            'vs_grey': rmse / grey if grey > 0 else torch.tensor(float('nan')),
        }
        return {name: round(float(value), 4) for name, value in values.items()}
