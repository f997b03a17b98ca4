"""Pixel propagation inside the frames of a grid, for feature maps that are large (S1, section 3.1.1)."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from mmssl.registry import MODELS

from .ppm import PPM


def to_frames(x: Tensor, frame: tuple[int, int]) -> Tensor:
    """Cut a map into frames, row by row of the grid; a map that does not divide is padded with 0 below and right.

    Args:
        x: (B, C, H, W).
        frame: (h, w), in pixels.

    Returns:
        (B * rows * cols, C, h * w), with rows = ceil(H / h) and cols = ceil(W / w); a copy.
    """
    (batch, channels, height, width), (h, w) = x.shape, frame
    if height % h or width % w:
        x = F.pad(x, (0, -width % w, 0, -height % h))
    rows, cols = x.shape[2] // h, x.shape[3] // w
    grid = x.reshape(batch, channels, rows, h, cols, w)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(batch * rows * cols, channels, h * w)


def from_frames(frames: Tensor, frame: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Put the frames of :func:`to_frames` together and cut the padding off.

    Args:
        frames: (B * rows * cols, C, h * w).
        frame: (h, w), in pixels.
        size: (H, W) of the map.

    Returns:
        (B, C, H, W); a view of the padded map where there is padding.
    """
    (h, w), (height, width) = frame, size
    rows, cols = -(-height // h), -(-width // w)
    grid = frames.view(-1, rows, cols, frames.shape[1], h, w).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, frames.shape[1], rows * h, cols * w)[..., :height, :width]


@MODELS.register_module()
class LocalPPM(PPM):
    """:class:`mmssl.PPM` inside each frame of a grid: Omega of equation 2.10 is the frame of n x n pixels around i.

    Source: S1, section 3.1.1. Memory and time grow linearly with the area, where those of PPM grow with its square.
    Parameters and their names are those of PPM: checkpoints fit both ways. With one frame that covers the map it is
    PPM, to the bit.

    S1 pads with zeros where frames do not fit and does not say on which side: here below and right. Features and values
    of the padding are zero (g, with its bias and norm, sees the map alone), so that it adds nothing to any sum, gets no
    gradient, and is cut off again.

    Args:
        frame_size: n, or (height, width) of a frame, in pixels of the map; S1 has 7 and, in its final method, 5.
        in_channels: this and all others as for :class:`mmssl.PPM`.
        gamma: sharpness of the similarity.
        transform_layers: linear layers of g.
        transform_norm_relu: whether a norm and ReLU follow the last layer of g too.
        normalize_values: whether g(x_j) is divided by its length.
        norm_cfg: norm inside g.
        init_cfg: mmengine's initialisation.

    Raises:
        ValueError: as PPM; a frame below 1 pixel; a map smaller than a frame.
    """

    def __init__(
        self,
        *,
        frame_size: int | Sequence[int] = (7, 7),
        in_channels: int = 256,
        gamma: float = 2.0,
        transform_layers: int = 1,
        transform_norm_relu: bool = False,
        normalize_values: bool = True,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(
            in_channels=in_channels,
            gamma=gamma,
            transform_layers=transform_layers,
            transform_norm_relu=transform_norm_relu,
            normalize_values=normalize_values,
            norm_cfg=norm_cfg,
            init_cfg=init_cfg,
        )
        frame = (frame_size, frame_size) if isinstance(frame_size, int) else tuple(frame_size)
        if len(frame) != 2 or min(frame) < 1:
            raise ValueError(f'LocalPPM: frame_size={frame_size}, expected one or two numbers of at least 1')
        self.frame_size = frame

    def split(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B * rows * cols, C, h * w), see :func:`to_frames`."""
        if x.shape[2] < self.frame_size[0] or x.shape[3] < self.frame_size[1]:
            found, frame = (f'{height}x{width}' for height, width in (x.shape[2:], self.frame_size))
            raise ValueError(f'LocalPPM: map of {found} pixels, expected at least one frame of {frame}')
        return to_frames(x, self.frame_size)

    def join(self, sets: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Inverse of :meth:`split`."""
        return from_frames(sets, self.frame_size, shape[2:])

    def extra_repr(self) -> str:
        """Constructor arguments that no layer shows."""
        return f'frame_size={self.frame_size}, {super().extra_repr()}'
