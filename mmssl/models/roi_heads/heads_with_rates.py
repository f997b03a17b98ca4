"""mmdet's box and mask heads, which also log the curves of S3, section 4.6.3."""

import torch
from mmdet.models import FCNMaskHead, Shared2FCBBoxHead
from torch import Tensor

from mmssl.registry import MODELS

from .detection_rates import classification_rates, mask_rates


@MODELS.register_module()
class Shared2FCBBoxHeadWithRates(Shared2FCBBoxHead):
    """Box head that adds :func:`classification_rates` to the log; loss, weights and names are mmdet's.

    Args:
        *args: of mmdet's ``Shared2FCBBoxHead``.
        **kwargs: of mmdet's ``Shared2FCBBoxHead``.

    Raises:
        ValueError: for a ``loss_cls`` with outputs of its own, such as SeesawLoss: the background is not its last one.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.custom_cls_channels:
            raise ValueError(
                f'{type(self).__name__}: loss_cls is {type(self.loss_cls).__name__}, which has outputs of its own; '
                'expected a loss on one score a class and one for the background'
            )

    def loss(self, cls_score: Tensor, bbox_pred: Tensor, rois: Tensor, labels: Tensor, *args, **kwargs) -> dict:
        """Losses as in mmdet, and the rates.

        Args:
            cls_score: (N, C + 1) float.
            bbox_pred: (N, 4 C) float.
            rois: (N, 5) float, image and box.
            labels: (N,) int64, C for the background.
            *args: the other arguments of mmdet's head.
            **kwargs: the other arguments of mmdet's head.

        Returns:
            Names and tensors; a name without ``loss`` in it is logged and not trained on.
        """
        losses = super().loss(cls_score, bbox_pred, rois, labels, *args, **kwargs)
        if cls_score is not None and len(cls_score):
            losses.update(classification_rates(cls_score, labels))
        return losses


@MODELS.register_module()
class FCNMaskHeadWithRates(FCNMaskHead):
    """Mask head that adds :func:`mask_rates` to the log; loss, weights and names are mmdet's."""

    def loss_and_target(self, mask_preds: Tensor, sampling_results: list, *args, **kwargs) -> dict:
        """Loss and targets as in mmdet, and the rates beside the loss.

        Args:
            mask_preds: (N, C, H, W) float, logits of the proposals of an object; C is 1 if the head knows no classes.
            sampling_results: mmdet's ``SamplingResult``, one an image.
            *args: the other arguments of mmdet's head.
            **kwargs: the other arguments of mmdet's head.

        Returns:
            ``loss_mask``, names and tensors, and ``mask_targets`` (N, H, W).
        """
        result = super().loss_and_target(mask_preds, sampling_results, *args, **kwargs)
        labels = torch.cat([sampled.pos_gt_labels for sampled in sampling_results])
        channels = torch.zeros_like(labels) if self.class_agnostic else labels
        own = mask_preds.detach()[torch.arange(len(mask_preds), device=mask_preds.device), channels]
        result['loss_mask'].update(mask_rates(own, result['mask_targets']))
        return result
