"""ERFNet's decoder that predicts colours as classes (S4, sections 2.3.3 and 2.4.2)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmssl.registry import MODELS

from ..layers.erfnet_blocks import NORM_CFG
from .color_bins import annealed_mean, bin_table, in_gamut_bins, nearest_bin
from .erfnet_head import ERFNetDecodeHead
from .pixel_targets import stack_pixels

STRIDES = (1, 2, 4, 8)


def cell_cross_entropy(logits: Tensor, bins: Tensor) -> Tensor:
    """Cross entropy of every pixel, with the scores of the cell that it lies in.

    It equals the cross entropy with scores enlarged by nearest neighbours, and that with the histogram of a cell's bins
    as its target, without making either.

    Args:
        logits: (B, K, h, w) before the softmax.
        bins: (B, h * s, w * s) int64, 0..K-1, for cells of s x s pixels.

    Returns:
        The mean over all pixels in nats, a scalar.
    """
    batch, _, height, width = logits.shape
    cells = bins.view(batch, height, bins.shape[1] // height, width, bins.shape[2] // width)
    cells = cells.permute(0, 2, 4, 1, 3).reshape(batch, -1, height, width)
    return -logits.float().log_softmax(dim=1).gather(1, cells).mean()


@MODELS.register_module()
class QuantizedColorizationHead(ERFNetDecodeHead):
    """ERFNet's decoder with a score for every bin of colours, instead of classes.

    Source: S4, section 2.4.2, "cross-entropy is used as loss function for tasks as Jigsaw, Colorization"; the classes
    are the bins of R. Zhang, P. Isola and A. Efros, "Colorful Image Colorization", ECCV 2016, which the report cites.
    Layers and names are those of :class:`ERFNetDecodeHead`, so its weights transfer, all but the last layer
    ``conv_seg``. :class:`ColorizationHead` is the same task with the squared error of S0.

    The scores are those of cells of ``target_stride`` x ``target_stride`` pixels, the means of their pixels' scores. As
    the last layer is linear they are computed from pooled features, without ever making the scores of the pixels: 261
    of them at full size would take 64 MB a 192x320 image. Every position of the last layer's kernel takes part. The
    target is not reduced: every pixel's own bin counts, against the scores of its cell (:func:`cell_cross_entropy`).

    ``predict`` gives a and b in Lab units as mmseg's ``seg_logits`` (B, 2, H, W), the annealed mean of each cell
    resized to the input, as :class:`ColorizationHead` does; the ``pred_sem_seg`` that mmseg makes of them has no
    meaning.

    Deviations from Zhang et al.: 261 bins (:func:`mmssl.models.decode_heads.color_bins.in_gamut_bins`); a pixel's
    target is its nearest bin and not a mixture of five; rare colours are not given more weight.

    Args:
        in_channels: channels of the encoder's last map.
        bin_side: side of a bin in Lab units, above 0.
        target_stride: side of a cell in pixels, 1, 2, 4 or 8; the paper's scores have 4.
        temperature: of the annealed mean, above 0; 1 is the mean of the distribution.
        widths: as :class:`ERFNetDecodeHead`.
        depth: as :class:`ERFNetDecodeHead`.
        norm_cfg: as :class:`ERFNetDecodeHead`.
        memory_format: as :class:`ERFNetDecodeHead`.
        in_index: which of the backbone's maps to decode.
        dropout_ratio: probability of dropping a channel before the last layer, in [0, 1).
        align_corners: how predictions are resized to the input.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: for another stride, a side or temperature that is not above 0, and as the parent.
    """

    def __init__(
        self,
        in_channels: int = 128,
        *,
        bin_side: float = 10.0,
        target_stride: int = 4,
        temperature: float = 0.38,
        widths: Sequence[int] = (64, 16),
        depth: int = 2,
        norm_cfg: dict = NORM_CFG,
        memory_format: str = 'channels_last',
        in_index: int = -1,
        dropout_ratio: float = 0,
        align_corners: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ):
        if target_stride not in STRIDES:
            raise ValueError(f'QuantizedColorizationHead: target_stride={target_stride}, expected one of {STRIDES}')
        if not bin_side > 0 or not temperature > 0:
            raise ValueError(
                f'QuantizedColorizationHead: bin_side={bin_side}, temperature={temperature}, expected numbers above 0'
            )
        centres = in_gamut_bins(float(bin_side))
        super().__init__(
            in_channels,
            widths=widths,
            depth=depth,
            norm_cfg=norm_cfg,
            memory_format=memory_format,
            init_cfg=init_cfg,
            num_classes=len(centres),
            out_channels=len(centres),
            in_index=in_index,
            dropout_ratio=dropout_ratio,
            align_corners=align_corners,
        )
        # The parent's loss has options about classes that do not apply.
        del self.loss_decode
        # What mmseg is told: the channels of a prediction. conv_seg has as many outputs as there are bins.
        self.num_classes = self.out_channels = 2
        self.target_stride = target_stride
        self.temperature = float(temperature)
        # Not saved: they follow from bin_side, and weights of ERFNetDecodeHead have none.
        self.register_buffer('centres', centres.clone(), persistent=False)
        self.register_buffer('bin_table', bin_table(centres).to(torch.int16), persistent=False)

    def cls_seg(self, feat: Tensor) -> Tensor:
        """Score the bins of every cell.

        Args:
            feat: (B, widths[-1], H / 2, W / 2).

        Returns:
            (B, K, H / target_stride, W / target_stride) before the softmax.
        """
        if self.target_stride == 1:
            return super().cls_seg(feat)
        if self.dropout is not None:
            feat = self.dropout(feat)
        if self.target_stride > 2:
            feat = F.avg_pool2d(feat, self.target_stride // 2)
        # Kernel and stride of conv_seg are 2: the mean of its four outputs is one 1x1 convolution.
        weight = self.conv_seg.weight.mean(dim=(2, 3)).T[..., None, None]
        return F.conv2d(feat, weight, self.conv_seg.bias)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: Sequence) -> dict[str, Tensor]:
        """Compare scores with the bins of the samples' ``gt_ab``.

        Args:
            seg_logits: (B, K, H / target_stride, W / target_stride).
            batch_data_samples: B samples with ``gt_ab``, (2, H, W) int8, Lab units.

        Returns:
            ``loss_ce``, the mean cross entropy over all pixels in nats, and ``acc_bin``, the share of pixels whose bin
            is the likeliest of their cell, in percent, without gradient; scalars.

        Raises:
            ValueError: where a sample has no target or one of another size.
        """
        size = [side * self.target_stride for side in seg_logits.shape[2:]]
        target = stack_pixels(batch_data_samples, 'gt_ab', size).to(seg_logits.device)
        bins = nearest_bin(target, self.bin_table)
        with torch.no_grad():
            likeliest = seg_logits.argmax(dim=1)
            for dim in (1, 2):
                likeliest = likeliest.repeat_interleave(self.target_stride, dim)
            accuracy = 100 * (likeliest == bins).float().mean()
        return {'loss_ce': cell_cross_entropy(seg_logits, bins), 'acc_bin': accuracy}

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Turn scores into a and b, (B, 2, H, W) float32 in Lab units, at the size of the input."""
        return super().predict_by_feat(annealed_mean(seg_logits, self.centres, self.temperature), batch_img_metas)

    def extra_repr(self) -> str:
        """Name the bins and their cells."""
        return f'bins={len(self.centres)}, target_stride={self.target_stride}, temperature={self.temperature:g}'
