"""ERFNet's decoder that gives the image back (S4, sections 2.3.1 and 2.3.2)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from mmssl.registry import MODELS

from ..layers.erfnet_blocks import NORM_CFG
from .erfnet_head import ERFNetDecodeHead
from .pixel_targets import stack_pixels

REGIONS = ('all', 'erased')
PEAK = 255.0
"""The largest grey level, which the signal-to-noise ratio refers to."""


def channel_errors(predicted: Tensor, target: Tensor, region: Tensor | None = None) -> Tensor:
    """Mean squared error of each channel.

    Args:
        predicted: (B, C, H, W).
        target: (B, C, H, W).
        region: (B, 1, H, W) bool, pixels that count; None for all. All of them weigh the same.

    Returns:
        (C,); 0 where no pixel counts.
    """
    errors = (predicted - target).square()
    if region is None:
        return errors.mean(dim=(0, 2, 3))
    return (errors * region).sum(dim=(0, 2, 3)) / region.sum().clamp(min=1)


@MODELS.register_module()
class ReconstructionHead(ERFNetDecodeHead):
    """ERFNet's decoder with three outputs, the colours of the image, instead of classes.

    Source: S4, sections 2.3.1 (inpainting), 2.3.2 (denoising) and 2.4.2: mean squared error between the prediction and
    the whole original image. Layers and names are those of :class:`ERFNetDecodeHead`, so its weights transfer, all but
    the last layer ``conv_seg``.

    The outputs have the units of the network's input: ``mean``, ``std`` and ``bgr_to_rgb`` are those of the model's
    data preprocessor, and the target, (3, H, W) uint8 BGR, is brought to them here, on its device. ``predict`` gives
    the picture as mmseg's ``seg_logits``, (B, 3, H, W) float32 in **BGR** like ``gt_image`` and the packed inputs, grey
    levels clipped to 0..255 and not rounded; the ``pred_sem_seg`` that mmseg makes of it, the index of the strongest
    colour, has no meaning.

    Deviations: the decoder is ERFNet's; the report names none. ``region='erased'`` compares the erased square alone,
    which the report does not do.

    Args:
        in_channels: channels of the encoder's last map.
        mean: of the data preprocessor, three grey levels in the order of the network's input.
        std: of the data preprocessor, three grey levels above 0, in the same order.
        bgr_to_rgb: whether the network's input is RGB, as the data preprocessor's ``bgr_to_rgb`` makes it.
        region: pixels of the loss: ``'all'``, or ``'erased'``, those of ``gt_erased``.
        widths: as :class:`ERFNetDecodeHead`.
        depth: as :class:`ERFNetDecodeHead`.
        norm_cfg: as :class:`ERFNetDecodeHead`.
        memory_format: as :class:`ERFNetDecodeHead`.
        in_index: which of the backbone's maps to decode.
        dropout_ratio: probability of dropping a channel before the last layer, in [0, 1).
        align_corners: how mmseg resizes predictions where the network's input had another size.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: for an unknown region, a mean or std that is not three numbers, a std not above 0, and as the
            parent.
    """

    def __init__(
        self,
        in_channels: int = 128,
        *,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        bgr_to_rgb: bool = True,
        region: str = 'all',
        widths: Sequence[int] = (64, 16),
        depth: int = 2,
        norm_cfg: dict = NORM_CFG,
        memory_format: str = 'channels_last',
        in_index: int = -1,
        dropout_ratio: float = 0,
        align_corners: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ):
        if region not in REGIONS:
            raise ValueError(f'ReconstructionHead: region={region!r}, expected one of {list(REGIONS)}')
        if len(mean) != 3 or len(std) != 3 or not all(value > 0 for value in std):
            raise ValueError(f'ReconstructionHead: mean={mean}, std={std}, expected three numbers each, std above 0')
        super().__init__(
            in_channels,
            widths=widths,
            depth=depth,
            norm_cfg=norm_cfg,
            memory_format=memory_format,
            init_cfg=init_cfg,
            num_classes=3,
            out_channels=3,
            in_index=in_index,
            dropout_ratio=dropout_ratio,
            align_corners=align_corners,
        )
        # The parent's loss is one over classes.
        del self.loss_decode
        self.region = region
        self.bgr_to_rgb = bgr_to_rgb
        # Not saved: they are settings, and weights of ERFNetDecodeHead have none.
        self.register_buffer('mean', torch.tensor(mean, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std, dtype=torch.float32).view(3, 1, 1), persistent=False)

    def normalize(self, image: Tensor) -> Tensor:
        """Bring images, (B, 3, H, W) BGR in 0..255, to order and units of the network's input, float32."""
        image = image.to(self.mean.device)
        return ((image.flip(1) if self.bgr_to_rgb else image) - self.mean) / self.std

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: Sequence) -> dict[str, Tensor]:
        """Compare predictions with the samples' ``gt_image``.

        Args:
            seg_logits: (B, 3, H, W), order and units of the network's input.
            batch_data_samples: B samples with ``gt_image``, (3, H, W) uint8 BGR, and with ``gt_erased``, (1, H, W)
                bool, where the region is the erased one.

        Returns:
            ``loss_mse``, the mean squared error over pixels and channels in units of ``std``, and ``psnr``, the peak
            signal-to-noise ratio of the unclipped prediction in dB, 10 log10(255**2 / mean squared error in grey
            levels), without gradient; scalars.

        Raises:
            ValueError: where a sample has no target or one of another size.
        """
        size = tuple(seg_logits.shape[2:])
        target = self.normalize(stack_pixels(batch_data_samples, 'gt_image', size))
        region = None
        if self.region == 'erased':
            region = stack_pixels(batch_data_samples, 'gt_erased', size).to(target.device)
        errors = channel_errors(seg_logits.float(), target, region)
        in_grey_levels = (errors.detach() * self.std.flatten().square()).mean()
        return {'loss_mse': errors.mean(), 'psnr': 10 * torch.log10(PEAK**2 / in_grey_levels)}

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Turn outputs into pictures, (B, 3, H, W) float32 BGR in 0..255, at the size of the input."""
        picture = (seg_logits.float() * self.std + self.mean).clamp(0, PEAK)
        return super().predict_by_feat(picture.flip(1) if self.bgr_to_rgb else picture, batch_img_metas)

    def extra_repr(self) -> str:
        """Name what is compared."""
        return f'region={self.region!r}, bgr_to_rgb={self.bgr_to_rgb}'
