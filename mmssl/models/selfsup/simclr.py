"""SimCLR: two views of an image are nearer to each other than to all other images (S0, section 3.2.7)."""

from mmpretrain.models import BaseSelfSupervisor
from torch import Tensor, cat

from mmssl.registry import MODELS


@MODELS.register_module()
class NTXentSimCLR(BaseSelfSupervisor):
    """Encoder, projector and contrastive head on two views.

    Replaces mmpretrain's ``SimCLR`` for what the head does with several ranks: there the gradient shrinks with their
    number (:func:`mmssl.models.losses.nt_xent.gather_with_gradient`). Views come from mmpretrain's ``MultiView`` and
    are normalised by its ``SelfSupDataPreprocessor``.

    Args:
        backbone (dict): the encoder.
        neck (dict): the projector, feature maps to a tuple with one (B, D) tensor.
        head (dict): has ``loss(first, second)``, such as ``mmssl.NTXentHead``.
        **kwargs: the other arguments of mmpretrain's ``BaseSelfSupervisor``.
    """

    def loss(self, inputs: list[Tensor], data_samples: list, **kwargs) -> dict[str, Tensor]:
        """Loss of a batch.

        Args:
            inputs: two tensors (B, 3, H, W), the views, normalised.
            data_samples: not used, there are no labels.
            **kwargs: none; mmpretrain's interface has them.

        Returns:
            What the head returns.

        Raises:
            ValueError: there are not two views.
        """
        if len(inputs) != 2:
            raise ValueError(f'NTXentSimCLR: {len(inputs)} views found, 2 expected (MultiView with num_views=2)')
        projections = self.neck(self.backbone(cat(list(inputs))))[-1]  # one pass for both: one batch-norm statistic
        return self.head.loss(*projections.chunk(2))
