"""Head of the pretext tasks that classify."""

from collections.abc import Sequence

from mmpretrain.evaluation import Accuracy
from mmpretrain.models.heads import ClsHead
from torch import Tensor, cat

from mmssl.registry import MODELS

from ..necks.max_pool_mlp import MaxPoolMLP


@MODELS.register_module()
class PretextClsHead(ClsHead):
    """Max-pool, linear, ReLU, linear, cross entropy (S0, section 3.1.2); loss and predictions are mmpretrain's.

    So is the accuracy, but for one thing: mmpretrain's ``ClsHead`` takes the scores before the softmax for
    probabilities above 0, and counts a right answer with a negative score as wrong (1.2.0). The head is left behind
    when the encoder is transferred.

    Args:
        num_classes: rotations (4), permutations of the jigsaw, neighbours of the centre (8).
        in_channels: channels of the encoder's last map.
        hidden_channels: 128; 4096 for the jigsaw (section 3.2.3).
        num_patches: patches of one image; 9 for the jigsaw, 2 for the relative patch.
        loss (dict): loss of scores (B, num_classes) against labels; cross entropy by default.
        topk: k of the training accuracies that are logged.
        cal_acc: log the accuracy on the training batch.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: fewer than 2 classes, or a ``topk`` beyond them; from the loss, labels that are missing or beyond
            the classes, or a batch that is no multiple of the patches.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        in_channels: int = 128,
        hidden_channels: int = 128,
        num_patches: int = 1,
        loss: dict | None = None,
        topk: int | Sequence[int] = 1,
        cal_acc: bool = True,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        loss = loss or {'type': 'mmpretrain.CrossEntropyLoss'}
        topk = (topk,) if isinstance(topk, int) else tuple(topk)
        if num_classes < 2:
            raise ValueError(f'PretextClsHead: num_classes is {num_classes}, expected 2 or more')
        if not topk or not all(1 <= k <= num_classes for k in topk):
            raise ValueError(f'PretextClsHead: topk is {topk}, expected numbers from 1 to num_classes={num_classes}')
        # The parent's accuracy stays off, for the reason above.
        super().__init__(loss=loss, topk=topk, cal_acc=False, init_cfg=init_cfg)
        self.log_accuracy = cal_acc
        self.num_classes = num_classes
        self.mlp = MaxPoolMLP(
            in_channels=in_channels,
            hidden_channels=hidden_channels,
            out_channels=num_classes,
            num_patches=num_patches,
        )
        self._labels_checked = False

    def pre_logits(self, feats: Sequence[Tensor]) -> Tensor:
        """Maps (B * num_patches, C, h, w) to the hidden layer, (B, hidden_channels)."""
        return self.mlp.embed(feats)

    def forward(self, feats: Sequence[Tensor]) -> Tensor:
        """Maps (B * num_patches, C, h, w) to scores before the softmax, (B, num_classes)."""
        return self.mlp(feats)[0]

    def loss(self, feats: Sequence[Tensor], data_samples: list, **kwargs) -> dict:
        """Loss and accuracy of a batch.

        Args:
            feats: maps, the last (B * num_patches, C, h, w).
            data_samples: B of mmpretrain's ``DataSample`` with ``gt_label``.
            **kwargs: passed to the loss.

        Returns:
            ``loss``, and with ``cal_acc`` ``accuracy_top-k`` in percent.
        """
        if not self._labels_checked:
            # The first batch only: reading a label makes the processor wait for the accelerator.
            self._check_labels(data_samples)
            self._labels_checked = True
        return super().loss(feats, data_samples, **kwargs)

    def _get_loss(self, cls_score: Tensor, data_samples: list, **kwargs) -> dict:
        losses = super()._get_loss(cls_score, data_samples, **kwargs)
        if self.log_accuracy:
            labels = cat([sample.gt_label for sample in data_samples])
            shares = Accuracy.calculate(cls_score, labels, topk=self.topk, thrs=(None,))
            losses |= {f'accuracy_top-{k}': share[0] for k, share in zip(self.topk, shares, strict=True)}
        return losses

    def _check_labels(self, data_samples: list) -> None:
        for sample in data_samples:
            where = f'{sample.get("img_path")}: PretextClsHead'
            if 'gt_label' not in sample:
                raise ValueError(f'{where} found no gt_label, expected a target such as mmssl.RotationTarget before it')
            label = int(sample.gt_label.max())
            if label >= self.num_classes:
                raise ValueError(f'{where} found the label {label}, expected less than num_classes={self.num_classes}')
