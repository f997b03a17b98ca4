"""ERFNet's decoder that predicts the colour of every pixel (S0, section 3.2.5)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmssl.registry import MODELS

from ..layers.erfnet_blocks import NORM_CFG
from .erfnet_head import ERFNetDecodeHead
from .pixel_targets import stack_pixels


@MODELS.register_module()
class ColorizationHead(ERFNetDecodeHead):
    """ERFNet's decoder with two outputs, a and b of CIELAB, instead of classes.

    Source: S0, section 3.2.5: mean squared error between predicted and true a and b. Layers and names are those of
    :class:`ERFNetDecodeHead`, so its weights transfer, all but the last layer ``conv_seg``.

    The loss is the mean of (prediction - target / ab_scale)**2 over pixels and the two channels. ``predict`` gives a
    and b in Lab units as mmseg's ``seg_logits`` (B, 2, H, W); the ``pred_sem_seg`` that mmseg makes of them, the
    index of the larger one, has no meaning.

    Deviations: S0 states the range of a and b, [-128, 128], and no scale; ``ab_scale=1`` is its equation to the
    letter. The scale also sets how far off an untrained network is: its outputs of about 0.7 stand for 0.7 * ab_scale
    units, where the colours of a street are 6 units from grey, so a short training does better with a small scale
    (CamVid at 96x128, 120 iterations of 4 images, seed 0: RMSE 5.3, 5.1 and 4.6 units with 128, 16 and 1).

    Args:
        in_channels: channels of the encoder's last map.
        ab_scale: Lab units that one unit of the network's output stands for.
        widths: as :class:`ERFNetDecodeHead`.
        depth: as :class:`ERFNetDecodeHead`.
        norm_cfg: as :class:`ERFNetDecodeHead`.
        memory_format: as :class:`ERFNetDecodeHead`.
        in_index: which of the backbone's maps to decode.
        dropout_ratio: probability of dropping a channel before the last layer, in [0, 1).
        align_corners: how mmseg resizes predictions where the network's input had another size.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: for an ab_scale that is not above 0, and as the parent.
    """

    def __init__(
        self,
        in_channels: int = 128,
        *,
        ab_scale: float = 1.0,
        widths: Sequence[int] = (64, 16),
        depth: int = 2,
        norm_cfg: dict = NORM_CFG,
        memory_format: str = 'channels_last',
        in_index: int = -1,
        dropout_ratio: float = 0,
        align_corners: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ):
        if not ab_scale > 0:
            raise ValueError(f'ColorizationHead: ab_scale={ab_scale}, expected a number above 0')
        super().__init__(
            in_channels,
            widths=widths,
            depth=depth,
            norm_cfg=norm_cfg,
            memory_format=memory_format,
            init_cfg=init_cfg,
            num_classes=2,
            out_channels=2,  # stated: mmseg warns where it concludes it from two classes
            in_index=in_index,
            dropout_ratio=dropout_ratio,
            align_corners=align_corners,
        )
        # The parent's loss is one over classes.
        del self.loss_decode
        self.ab_scale = float(ab_scale)

    def loss_by_feat(self, seg_logits: Tensor, batch_data_samples: Sequence) -> dict[str, Tensor]:
        """Compare predictions with the samples' ``gt_ab``.

        Args:
            seg_logits: (B, 2, H, W), a and b divided by ab_scale.
            batch_data_samples: B samples with ``gt_ab``, (2, H, W), Lab units.

        Returns:
            ``loss_ab``, the mean squared error in units of ab_scale, and ``rmse_ab``, its root in Lab units without
            gradient; scalars.

        Raises:
            ValueError: where a sample has no target or one of another size.
        """
        target = stack_pixels(batch_data_samples, 'gt_ab', seg_logits.shape[2:]).to(seg_logits.device, torch.float32)
        loss = F.mse_loss(seg_logits.float(), target / self.ab_scale)
        return {'loss_ab': loss, 'rmse_ab': loss.detach().sqrt() * self.ab_scale}

    def predict_by_feat(self, seg_logits: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """Turn outputs into a and b, (B, 2, H, W) float32 in Lab units, at the size of the input."""
        return super().predict_by_feat(seg_logits.float() * self.ab_scale, batch_img_metas)

    def extra_repr(self) -> str:
        """Name the unit of the output."""
        return f'ab_scale={self.ab_scale:g}'
