"""DeepLabv2's classifier: atrous spatial pyramid pooling whose branches are summed (S2, section 2.2.1)."""

from collections.abc import Sequence

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from mmssl.registry import MODELS


@MODELS.register_module()
class DeepLabV2Head(BaseDecodeHead):
    """Parallel dilated 3x3 convolutions from features to classes; their outputs are added.

    Source: S2, section 2.2.1, figure 2.5 and table 3.1 (block 6), after Chen et al., "DeepLab", TPAMI 2018. There is
    no normalisation, no dropout and no further layer: the branches predict the classes themselves, so mmseg's
    ``conv_seg`` does not exist here. A branch has ``9 * in_channels * num_classes + num_classes`` parameters.

    Deviations: the biases start at 0; the thesis names no initial value.

    Args:
        in_channels: channels of the backbone's map.
        num_classes: number of classes.
        dilations: dilation of each branch, at least 1. (6, 12, 18, 24) is the thesis. (6, 12) is what its released
            code computes: the loop over the branches returns after the second.
        in_index: which of the backbone's maps to classify.
        loss_decode: loss or losses of mmseg's registry.
        ignore_index: label of pixels without a class.
        sampler: mmseg's pixel sampler.
        align_corners: how scores are resized to the labels and to the image.
        init_cfg: mmengine's initialisation; by default weights are drawn from N(0, 0.01) (standard deviation).

    Raises:
        ValueError: where the dilations are none, or not whole numbers from 1 up.
    """

    def __init__(
        self,
        in_channels: int = 2048,
        *,
        num_classes: int,
        dilations: Sequence[int] = (6, 12, 18, 24),
        in_index: int = -1,
        loss_decode: dict | Sequence[dict] | None = None,
        ignore_index: int = 255,
        sampler: dict | None = None,
        align_corners: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ):
        dilations = tuple(dilations)
        if not dilations or not all(isinstance(d, int) and not isinstance(d, bool) and d >= 1 for d in dilations):
            raise ValueError(f'DeepLabV2Head: dilations={dilations}, expected whole numbers from 1 up, (6, 12, 18, 24)')
        super().__init__(
            in_channels,
            num_classes,
            num_classes=num_classes,
            out_channels=num_classes,  # stated: mmseg warns where it concludes it from two classes
            dropout_ratio=0,
            in_index=in_index,
            loss_decode=loss_decode or {'type': 'mmssl.WeightedCrossEntropyLoss'},
            ignore_index=ignore_index,
            sampler=sampler,
            align_corners=align_corners,
            init_cfg=init_cfg or {'type': 'Normal', 'layer': 'Conv2d', 'std': 0.01},
        )
        del self.conv_seg
        self.dilations = dilations
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, num_classes, 3, padding=dilation, dilation=dilation) for dilation in dilations
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Classify features.

        Args:
            inputs: the backbone's maps; the one at ``in_index`` is (B, in_channels, h, w).

        Returns:
            Class scores before the softmax, (B, num_classes, h, w).
        """
        x = self._transform_inputs(inputs)
        scores = self.branches[0](x)
        for branch in self.branches[1:]:
            scores = scores + branch(x)
        return scores
