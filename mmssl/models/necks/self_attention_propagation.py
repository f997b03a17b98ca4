"""Self-attention in the place of pixel propagation (S1, section 3.1.2)."""

import math

import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl.registry import MODELS

# What the number of channels must be a multiple of: a sine and a cosine, for each direction where they are split.
ENCODINGS = {'split': 4, 'sum': 2}


def sinusoids(length: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Encoding of the positions of a line, equations 3.1a and 3.1b.

    Args:
        length: number of positions, from 0.
        dim: d_x, even.
        device: of the result.

    Returns:
        (length, dim), float32: channel 2i is sin(pos / 10000^(2i / dim)), channel 2i + 1 the cosine of the same.
    """
    rates = torch.exp(torch.arange(0, dim, 2, device=device) * (-math.log(10000) / dim))
    angles = torch.arange(length, device=device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


def position_encoding(
    size: tuple[int, int], dim: int, encoding: str = 'split', device: torch.device | None = None
) -> Tensor:
    """Encoding of the pixels of a map in x and y.

    Args:
        size: (H, W).
        dim: channels; a multiple of 4, or of 2 for ``'sum'``.
        encoding: ``'split'``: the first half of the channels encodes x, the second half y. ``'sum'``: all channels
            hold the sum of both.
        device: of the result.

    Returns:
        (dim, H, W), float32.
    """
    each = dim // 2 if encoding == 'split' else dim
    rows, cols = (sinusoids(length, each, device).T for length in size)
    x = cols[:, None, :].expand(-1, *size)
    y = rows[:, :, None].expand(-1, *size)
    return torch.cat([x, y]) if encoding == 'split' else x + y


@MODELS.register_module()
class SelfAttentionPropagation(BaseModule):
    """Adds to each pixel what it attends to.

        y = x + gamma * softmax(Q K^T / sqrt(d_k)) V

    Q, K and V are 1x1 convolutions of x plus the encoding of its pixels' positions.

    Source: S1, section 3.1.2, equations 2.14, 3.1 and 3.2. gamma is learned, from 0 on: the module starts as the
    identity, and at the first step gamma alone has a gradient that is not 0.

    What S1 leaves open: equation 3.1 is repeated "in both x- and y-direction"; here half of the channels encode x and
    half y, with d_x the number of channels of one direction, so that every pixel has a code of its own, as S1 asks for.
    The sum of both over all channels (``encoding='sum'``), as in the paper S1 follows, gives (i, j) and (j, i) the
    same. The x that is added is without the encoding.

    Args:
        in_channels: C, channels of input, output and V.
        key_channels: d_k, channels of Q and K; None is ``in_channels``. S1 names none; its sources have C / 8.
        encoding: ``'split'`` or ``'sum'``.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: an option outside these values; channels that the encoding does not divide; an input that is no
            (B, C, H, W).
    """

    def __init__(
        self,
        *,
        in_channels: int = 256,
        key_channels: int | None = None,
        encoding: str = 'split',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if encoding not in ENCODINGS:
            raise ValueError(f'SelfAttentionPropagation: encoding={encoding!r}, expected one of {sorted(ENCODINGS)}')
        if in_channels < 1 or in_channels % ENCODINGS[encoding]:
            raise ValueError(
                f'SelfAttentionPropagation: in_channels={in_channels}, expected a multiple of {ENCODINGS[encoding]} '
                f'for encoding={encoding!r}'
            )
        if key_channels is not None and key_channels < 1:
            raise ValueError(f'SelfAttentionPropagation: key_channels={key_channels}, expected at least 1')
        self.in_channels = in_channels
        self.encoding = encoding
        self.query = nn.Conv2d(in_channels, key_channels or in_channels, 1)
        self.key = nn.Conv2d(in_channels, key_channels or in_channels, 1)
        self.value = nn.Conv2d(in_channels, in_channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise ValueError(
                f'SelfAttentionPropagation: input {tuple(x.shape)}, expected (B, {self.in_channels}, H, W)'
            )
        placed = x + position_encoding(x.shape[2:], self.in_channels, self.encoding, x.device).to(x.dtype)
        # One head: (B, 1, HW, channels).
        query, key, value = (
            layer(placed).flatten(2).transpose(1, 2)[:, None] for layer in (self.query, self.key, self.value)
        )
        attended = F.scaled_dot_product_attention(query, key, value)
        return x + self.gamma * attended[:, 0].transpose(1, 2).reshape(x.shape)

    def extra_repr(self) -> str:
        """Constructor arguments that no layer shows."""
        return f'encoding={self.encoding!r}'
