"""What a candidate may cost, counted from its built segmentation network."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.config import Config

from mmssl.apis.config import ConfigError
from mmssl.apis.model_complexity import PartComplexity, measure_complexity
from mmssl.apis.segmentor_workload import build_segmentor


@dataclass(frozen=True)
class Budget:
    """Upper limits of a segmentation network, encoder and decoder; both are met at equality.

    Args:
        shape: height and width of the image that the operations are counted for, pixels, from 1.
        parameters: at most so many, None for any number.
        flops: of one forward pass of one image at most, a multiplication and an addition being two, None for any.
        max_draws: draws for one candidate before the search ends with an error, from 1.

    Raises:
        ConfigError: for values outside of these.
    """

    shape: Sequence[int]
    parameters: int | None = None
    flops: float | None = None
    max_draws: int = 1000

    def __post_init__(self):
        shape = self.shape
        if not isinstance(shape, (list, tuple)) or len(shape) != 2 or not all(_is_positive(n, int) for n in shape):
            raise ConfigError(f'budget.shape: {shape!r} found, height and width in whole pixels expected')
        for name in ('parameters', 'flops'):
            limit = getattr(self, name)
            if limit is not None and not _is_positive(limit, (int, float)):
                raise ConfigError(f'budget.{name}: {limit!r} found, a finite number above 0 or None expected')
        if not _is_positive(self.max_draws, int):
            raise ConfigError(f'budget.max_draws: {self.max_draws!r} found, a whole number from 1 expected')

    def allows(self, cost: PartComplexity) -> bool:
        """Whether a network is within the limits."""
        return (self.parameters is None or cost.parameters <= self.parameters) and (
            self.flops is None or cost.flops <= self.flops
        )

    def __str__(self):
        limits = [f'{self.parameters:,} parameters'] if self.parameters is not None else []
        limits += [f'{self.flops / 1e9:g} GFLOPs'] if self.flops is not None else []
        return ' and '.join(limits) or 'no limit'


def count_cost(cfg: Config, source: str, shape: Sequence[int]) -> PartComplexity:
    """Count parameters and operations of a segmentation network as ``tools/analysis_tools/get_flops.py`` does.

    The network is built with its memory on torch's meta device, where nothing is computed.

    Args:
        cfg: whole config of the segmentation network, on ``mmssl.ERFNetEncoder``.
        source: name for error messages.
        shape: height and width of one image, pixels.

    Returns:
        Of the whole network.

    Raises:
        ValueError: the config builds no segmentor of mmseg.
    """
    model = build_segmentor(cfg, source, 'meta').eval()
    channels = cfg.model.backbone.get('in_channels', 3)
    images = torch.zeros(1, channels, *shape, device='meta')
    return measure_complexity(model, lambda: model(images, mode='tensor'))['total']


def _is_positive(value, kinds) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 < value < math.inf
