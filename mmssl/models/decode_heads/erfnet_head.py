"""ERFNet's decoder as a decode head (S0, section 3.1, table 3.1)."""

from collections.abc import Sequence

import torch
from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmssl.registry import MODELS

from ..backbones.erfnet import MEMORY_FORMATS
from ..layers.erfnet_blocks import NORM_CFG, NonBottleneck1d, UpsamplerBlock


@torch.no_grad()
def start_positions_equal(conv: nn.ConvTranspose2d) -> None:
    """Let the positions of a transposed convolution's kernel start equal, each with the values of the first.

    Where kernel size and stride agree, every output pixel comes from one position. Independent values then make
    neighbouring pixels disagree, a checkerboard that takes hundreds of iterations to fade; equal ones start as a 1x1
    convolution enlarged by nearest neighbours (Aitken et al., "Checkerboard artifact free sub-pixel convolution",
    2017).

    Args:
        conv: changed in place.
    """
    conv.weight.copy_(conv.weight[..., :1, :1].expand_as(conv.weight).clone())


@MODELS.register_module()
class ERFNetDecodeHead(BaseDecodeHead):
    """The 7 layers of ERFNet that turn features of stride 8 into class scores at full resolution.

    Source: S0, table 3.1. ``layers`` is keyed by the table's numbers, 17 to 22; layer 23, the transposed convolution
    that predicts the classes, is ``conv_seg`` as in every mmseg head. With 19 classes and the default widths the
    head has 190,147 parameters.

    Deviations: the four positions of the last layer's kernel start equal; architecture and weights are the release's.

    Args:
        in_channels: channels of the encoder's last map.
        widths: channels at stride 4 and at stride 2.
        depth: non-bottleneck blocks after each upsampler.
        norm_cfg: normalisation of every block; state ``eps=1e-3`` to keep the release's.
        memory_format: ``'channels_last'`` or ``'contiguous'``, as the encoder's.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.
        kwargs: mmseg's ``BaseDecodeHead``: ``num_classes``, ``loss_decode``, ``ignore_index``, ``in_index``, ...

    Raises:
        ValueError: on an unknown memory format or another number of widths.
    """

    def __init__(
        self,
        in_channels: int = 128,
        *,
        widths: Sequence[int] = (64, 16),
        depth: int = 2,
        norm_cfg: dict = NORM_CFG,
        memory_format: str = 'channels_last',
        init_cfg: dict | list[dict] | None = None,
        **kwargs,
    ):
        if len(widths) != 2:
            raise ValueError(f'ERFNetDecodeHead: widths={widths}, expected 2')
        if memory_format not in MEMORY_FORMATS:
            raise ValueError(f'ERFNetDecodeHead: memory_format={memory_format!r}, expected {list(MEMORY_FORMATS)}')
        # The release has no dropout in the decoder.
        kwargs.setdefault('dropout_ratio', 0)
        kwargs.setdefault('loss_decode', {'type': 'mmssl.WeightedCrossEntropyLoss'})
        super().__init__(in_channels, widths[-1], norm_cfg=norm_cfg, init_cfg=init_cfg, **kwargs)
        blocks, channels = [], in_channels
        for width in widths:
            blocks.append(UpsamplerBlock(channels, width, norm_cfg=norm_cfg))
            blocks += [NonBottleneck1d(width, norm_cfg=norm_cfg) for _ in range(depth)]
            channels = width
        self.layers = nn.ModuleDict({str(number): block for number, block in enumerate(blocks, start=17)})
        self.conv_seg = nn.ConvTranspose2d(channels, self.out_channels, 2, stride=2)
        start_positions_equal(self.conv_seg)
        self.to(memory_format=MEMORY_FORMATS[memory_format])

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Decode features.

        Args:
            inputs: the encoder's maps; the one at ``in_index`` is (B, in_channels, h, w).

        Returns:
            Class scores before the softmax, (B, num_classes, 8h, 8w).
        """
        x = self._transform_inputs(inputs)
        for layer in self.layers.values():
            x = layer(x)
        return self.cls_seg(x)

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """As mmseg's, without its interpolation where the scores have the size of the input already."""
        meta = batch_img_metas[0]
        size = (
            meta['img_shape'] if isinstance(meta['img_shape'], torch.Size) else meta.get('pad_shape', meta['img_shape'])
        )
        if tuple(seg_logits.shape[2:]) == tuple(size[:2]):
            return seg_logits
        return super().predict_by_feat(seg_logits, batch_img_metas)
