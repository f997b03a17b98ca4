"""Two 1x1 convolutions: the projector that keeps the map (S1, section 2.4.1)."""

from collections.abc import Sequence

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl.registry import MODELS

NORM_CFG = {'type': 'BN'}


@MODELS.register_module()
class ConvProjector(BaseModule):
    """1x1 convolution, norm, ReLU, 1x1 convolution: a multilayer perceptron for each pixel.

    Source: S1, section 2.4.1, which has the projection head of PixPro; sizes as in the released code of PixPro:
    2048-4096-256 with biases, 9,449,728 parameters.

    Args:
        in_channels: channels of the last feature map.
        hidden_channels: channels between the two convolutions.
        out_channels: channels of the projection.
        norm_cfg: the norm, as mmcv's ``build_norm_layer`` reads it.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: a size below 1.
    """

    def __init__(
        self,
        *,
        in_channels: int = 2048,
        hidden_channels: int = 4096,
        out_channels: int = 256,
        norm_cfg: dict = NORM_CFG,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        sizes = {'in_channels': in_channels, 'hidden_channels': hidden_channels, 'out_channels': out_channels}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f'ConvProjector: {name}={size}, expected at least 1')
        self.hidden = nn.Conv2d(in_channels, hidden_channels, 1)
        self.norm = build_norm_layer(norm_cfg, hidden_channels)[1]
        self.relu = nn.ReLU(inplace=True)
        self.out = nn.Conv2d(hidden_channels, out_channels, 1)

    def forward(self, feats: Tensor | Sequence[Tensor]) -> Tensor:
        """Project a map.

        Args:
            feats: (B, in_channels, H, W), or maps of an encoder of which the last one is used.

        Returns:
            (B, out_channels, H, W).
        """
        x = feats if isinstance(feats, Tensor) else feats[-1]
        return self.out(self.relu(self.norm(self.hidden(x))))
