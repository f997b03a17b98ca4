"""The three building blocks of ERFNet (S0, section 3.1.1 and figure 3.1; Romera et al., T-ITS 2018)."""

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from .fold_norm import fold_into_conv, is_foldable, slice_batch_norm

# The eps of the public release; mmcv's build_norm_layer would fill in 1e-5.
NORM_CFG = {'type': 'BN', 'eps': 1e-3}


class DownsamplerBlock(BaseModule):
    """Halve the resolution: a strided 3x3 convolution and a max-pool side by side, then norm and ReLU.

    Args:
        in_channels: channels of the input; the max-pool hands them on.
        out_channels: channels of the output, above ``in_channels``; the convolution makes the difference.
        norm_cfg: normalisation layer, as mmcv's ``build_norm_layer`` reads it.
    """

    def __init__(self, in_channels: int, out_channels: int, *, norm_cfg: dict = NORM_CFG):
        super().__init__()
        if out_channels <= in_channels:
            raise ValueError(f'DownsamplerBlock: out_channels={out_channels}, expected above in_channels={in_channels}')
        self.conv = nn.Conv2d(in_channels, out_channels - in_channels, 3, stride=2, padding=1)
        # ceil_mode gives the convolution's size on odd inputs too, so that nothing needs resizing.
        self.pool = nn.MaxPool2d(2, stride=2, ceil_mode=True)
        self.bn = build_norm_layer(norm_cfg, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, ceil(H/2), ceil(W/2))."""
        x = torch.cat([self.conv(x), self.pool(x)], dim=1)
        return F.relu(self.bn(x), inplace=True)

    def fold_norm(self) -> None:
        """Fold the norm into the convolution; what the max-pool hands on keeps its slice of the norm."""
        if not is_foldable(self.bn):
            return
        split = self.conv.out_channels
        pool_norm = slice_batch_norm(self.bn, split, self.bn.num_features)
        fold_into_conv(self.conv, slice_batch_norm(self.bn, 0, split))
        self.pool = nn.Sequential(self.pool, pool_norm)
        self.bn = nn.Identity()


class NonBottleneck1d(BaseModule):
    """Residual block of four 1-d convolutions: 3x1, 1x3, then the same pair dilated.

    Args:
        channels: channels of input and output.
        dilation: dilation of the second pair, in pixels.
        dropout: probability of dropping a channel at the end of the branch, in [0, 1).
        norm_cfg: normalisation layer after each pair.
    """

    def __init__(self, channels: int, *, dilation: int = 1, dropout: float = 0.0, norm_cfg: dict = NORM_CFG):
        super().__init__()
        self.conv3x1_1 = nn.Conv2d(channels, channels, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(channels, channels, (1, 3), padding=(0, 1))
        self.bn1 = build_norm_layer(norm_cfg, channels)[1]
        self.conv3x1_2 = nn.Conv2d(channels, channels, (3, 1), padding=(dilation, 0), dilation=(dilation, 1))
        self.conv1x3_2 = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation))
        self.bn2 = build_norm_layer(norm_cfg, channels)[1]
        self.dropout = nn.Dropout2d(dropout) if dropout else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        # In-place operations only where no backward pass needs the overwritten value.
        out = F.relu(self.conv3x1_1(x), inplace=True)
        out = F.relu(self.bn1(self.conv1x3_1(out)), inplace=True)
        out = F.relu(self.conv3x1_2(out), inplace=True)
        out = self.dropout(self.bn2(self.conv1x3_2(out)))
        return F.relu(out + x, inplace=True)

    def fold_norm(self) -> None:
        """Fold both norms into the convolutions before them."""
        if is_foldable(self.bn1) and is_foldable(self.bn2):
            fold_into_conv(self.conv1x3_1, self.bn1)
            fold_into_conv(self.conv1x3_2, self.bn2)
            self.bn1, self.bn2 = nn.Identity(), nn.Identity()


class UpsamplerBlock(BaseModule):
    """Double the resolution: a transposed 3x3 convolution, then norm and ReLU.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        norm_cfg: normalisation layer.
    """

    def __init__(self, in_channels: int, out_channels: int, *, norm_cfg: dict = NORM_CFG):
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2, padding=1, output_padding=1)
        self.bn = build_norm_layer(norm_cfg, out_channels)[1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, in, H, W) -> (B, out, 2H, 2W)."""
        return F.relu(self.bn(self.conv(x)), inplace=True)

    def fold_norm(self) -> None:
        """Fold the norm into the transposed convolution."""
        if is_foldable(self.bn):
            fold_into_conv(self.conv, self.bn)
            self.bn = nn.Identity()
