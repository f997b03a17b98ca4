"""Error of pictures that a network gives back (S4, sections 2.3.1 and 2.3.2)."""

from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric

from mmssl.registry import METRICS

REGIONS = ('all', 'erased')
PEAK = 255.0


def squared_error(picture: torch.Tensor, target: torch.Tensor, region: torch.Tensor | None = None) -> float:
    """Sum of squared errors over pixels and channels.

    Args:
        picture: (3, H, W) grey levels.
        target: (3, H, W) grey levels, any type.
        region: (1, H, W) bool, pixels that count; None for all.

    Returns:
        The sum, in grey levels squared.
    """
    errors = (picture.double() - target.to(picture.device, torch.float64)).square()
    return float((errors if region is None else errors * region.to(errors.device)).sum())


def psnr(mean_squared_error: float) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(255**2 / error), of a mean squared error in grey levels; inf for 0."""
    return float(10 * torch.log10(PEAK**2 / torch.tensor(mean_squared_error, dtype=torch.float64)))


@METRICS.register_module()
class ReconstructionError(BaseMetric):
    """Peak signal-to-noise ratio and root mean squared error of predicted pictures, beside that of the inputs.

    With sums over all pixels and channels of all images: ``RMSE`` in grey levels 0..255; ``PSNR``, 20 log10(255 / RMSE)
    in dB, which is not the mean over images of their own ratios; and ``PSNR_input``, what the network's input as it
    stands would score, with its square or its noise. Predictions are compared as they are, not rounded; an error of 0
    is ``inf`` dB.

    Args:
        region: pixels that count: ``'all'``, or ``'erased'``, those of ``gt_erased``.
        collect_device: ``'cpu'`` or ``'gpu'``, where the results of several ranks meet.
        prefix: put before the names.
        collect_dir: folder for results on their way between ranks, with ``'cpu'``.

    Raises:
        ValueError: for an unknown region.
    """

    def __init__(
        self,
        *,
        region: str = 'all',
        collect_device: str = 'cpu',
        prefix: str | None = None,
        collect_dir: str | None = None,
    ):
        if region not in REGIONS:
            raise ValueError(f'ReconstructionError: region={region!r}, expected one of {list(REGIONS)}')
        super().__init__(collect_device=collect_device, prefix=prefix, collect_dir=collect_dir)
        self.region = region

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Sum up one batch.

        Args:
            data_batch: ``inputs``, a (3, H, W) BGR image in 0..255 for each sample, before the data preprocessor.
            data_samples: with ``seg_logits`` and ``gt_image``, (3, H, W) BGR in 0..255, and with ``gt_erased``,
                (1, H, W), where the region is the erased one.

        Raises:
            ValueError: where a sample has no prediction or target, or the two differ in size.
        """
        needed = ['seg_logits', 'gt_image', *(['gt_erased'] if self.region == 'erased' else [])]
        for given, sample in zip(data_batch['inputs'], data_samples, strict=True):
            where = sample.get('img_path') or 'a sample'
            missing = [key for key in needed if key not in sample]
            if missing:
                raise ValueError(
                    f'{where}: ReconstructionError found no {missing[0]}, expected predictions of '
                    'mmssl.ReconstructionHead and targets of mmssl.InpaintingTarget or mmssl.DenoisingTarget'
                )
            predicted, target = sample['seg_logits']['data'], sample['gt_image']['data']
            if not predicted.shape == target.shape == given.shape or len(target) != 3:
                raise ValueError(
                    f'{where}: ReconstructionError found a prediction of the shape {tuple(predicted.shape)}, a target '
                    f'of {tuple(target.shape)} and an input of {tuple(given.shape)}, expected (3, height, width) thrice'
                )
            region = sample['gt_erased']['data'] if self.region == 'erased' else None
            values = target.numel() if region is None else 3 * int(region.sum())
            sums = [squared_error(picture, target, region) for picture in (predicted, given)]
            self.results.append([float(values), *sums])

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Errors over all images, rounded to 4 digits; NaN where no pixel counts."""
        values, predicted, given = torch.tensor(results, dtype=torch.float64).sum(dim=0).tolist()
        if not values:
            return dict.fromkeys(('PSNR', 'RMSE', 'PSNR_input'), float('nan'))
        errors = {
            'PSNR': psnr(predicted / values),
            'RMSE': (predicted / values) ** 0.5,
            'PSNR_input': psnr(given / values),
        }
        return {name: round(value, 4) for name, value in errors.items()}
