"""ERFNet's encoder as a backbone (S0, section 3.1, table 3.1)."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl.registry import MODELS

from ..layers.erfnet_blocks import NORM_CFG, DownsamplerBlock, NonBottleneck1d

MEMORY_FORMATS = {'channels_last': torch.channels_last, 'contiguous': torch.contiguous_format}


@MODELS.register_module()
class ERFNetEncoder(BaseModule):
    """The 16 layers of ERFNet that turn an image into features of stride 8.

    Source: S0, table 3.1; E. Romera et al., "ERFNet: Efficient Residual Factorized ConvNet for Real-Time
    Semantic Segmentation", T-ITS 2018. ``layers`` is keyed by the table's numbers: ``layers['8']`` is the third
    downsampler, and the parameters of layer 12 are named ``layers.12.*``. With the default arguments the encoder
    has 1,874,044 parameters.

    Deviations: max-pooling rounds odd sizes up as the convolution does, where the release fails.

    Args:
        in_channels: channels of the input image.
        widths: channels after each of the three downsamplers, ascending.
        depth: non-bottleneck blocks at stride 4 (table 3.1: layers 3 to 7).
        dilations: dilation, in pixels, of each non-bottleneck block at stride 8 (layers 9 to 16).
        dropout: probability of dropping a channel in the blocks at stride 4 and at stride 8, each in [0, 1).
        out_indices: which outputs to return: 0, 1, 2 are strides 2, 4, 8 (after layers 1, 7, 16).
        norm_cfg: normalisation of every block, as mmcv's ``build_norm_layer`` reads it. State ``eps=1e-3`` to keep
            the release's; mmcv would fill in 1e-5.
        memory_format: ``'channels_last'`` (faster, equal within rounding) or ``'contiguous'``.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: on an unknown memory format, an out index beyond 0 to 2, or another number of widths or rates.
    """

    def __init__(
        self,
        *,
        in_channels: int = 3,
        widths: Sequence[int] = (16, 64, 128),
        depth: int = 5,
        dilations: Sequence[int] = (2, 4, 8, 16, 2, 4, 8, 16),
        dropout: Sequence[float] = (0.03, 0.3),
        out_indices: Sequence[int] = (2,),
        norm_cfg: dict = NORM_CFG,
        memory_format: str = 'channels_last',
        init_cfg: dict | list[dict] | None = None,
    ):
        super().__init__(init_cfg)
        if len(widths) != 3 or len(dropout) != 2:
            raise ValueError(f'ERFNetEncoder: widths={widths}, dropout={dropout}, expected 3 widths and 2 rates')
        if not out_indices or not set(out_indices) <= {0, 1, 2}:
            raise ValueError(f'ERFNetEncoder: out_indices={out_indices}, expected some of 0, 1, 2 (strides 2, 4, 8)')
        if memory_format not in MEMORY_FORMATS:
            raise ValueError(f'ERFNetEncoder: memory_format={memory_format!r}, expected one of {list(MEMORY_FORMATS)}')
        half, quarter, eighth = widths
        blocks = [
            DownsamplerBlock(in_channels, half, norm_cfg=norm_cfg),
            DownsamplerBlock(half, quarter, norm_cfg=norm_cfg),
            *(NonBottleneck1d(quarter, dropout=dropout[0], norm_cfg=norm_cfg) for _ in range(depth)),
            DownsamplerBlock(quarter, eighth, norm_cfg=norm_cfg),
            *(NonBottleneck1d(eighth, dilation=d, dropout=dropout[1], norm_cfg=norm_cfg) for d in dilations),
        ]
        self.layers = nn.ModuleDict({str(number): block for number, block in enumerate(blocks, start=1)})
        self.out_indices = tuple(out_indices)
        # The last layer of each stride: 1, 7 and 16 in table 3.1.
        self._last_layers = {'1': 0, str(2 + depth): 1, str(len(blocks)): 2}
        self._memory_format = MEMORY_FORMATS[memory_format]
        self.to(memory_format=self._memory_format)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Encode images.

        Args:
            x: (B, in_channels, H, W), float, any range.

        Returns:
            One map per out index in ascending order, (B, widths[i], ceil(H / 2^(i+1)), ceil(W / 2^(i+1))).
        """
        x = x.contiguous(memory_format=self._memory_format)
        outputs = []
        for number, layer in self.layers.items():
            x = layer(x)
            if self._last_layers.get(number) in self.out_indices:
                outputs.append(x)
        return tuple(outputs)
