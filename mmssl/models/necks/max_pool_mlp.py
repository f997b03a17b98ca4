"""Max-pool and two linear layers: what replaces the decoder where no map is predicted (S0, section 3.1.2)."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl.registry import MODELS


@MODELS.register_module()
class MaxPoolMLP(BaseModule):
    """Maximum over the map, linear layer, ReLU, linear layer.

    Source: S0, section 3.1.2, and for several patches of an image 3.2.3: their pooled features are concatenated in
    the order of the patches. As a neck it is the projector of SimCLR (:class:`mmssl.NTXentSimCLR`);
    :class:`mmssl.PretextClsHead` predicts classes with it.

    Args:
        in_channels: channels of the last feature map.
        hidden_channels: neurons of the first linear layer; 128 in the thesis, 4096 for jigsaw.
        out_channels: neurons of the second one: classes, or the size of a projection.
        num_patches: patches of an image; they follow each other in the batch.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: a size below 1, or a batch that is no multiple of ``num_patches``.
    """

    def __init__(
        self,
        *,
        in_channels: int = 128,
        hidden_channels: int = 128,
        out_channels: int = 128,
        num_patches: int = 1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        sizes = {'in_channels': in_channels, 'hidden_channels': hidden_channels}
        sizes |= {'out_channels': out_channels, 'num_patches': num_patches}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f'{name}={size}, expected at least 1')
        self.num_patches = num_patches
        self.hidden = nn.Linear(in_channels * num_patches, hidden_channels)
        self.relu = nn.ReLU(inplace=True)
        self.out = nn.Linear(hidden_channels, out_channels)

    def embed(self, feats: Sequence[Tensor]) -> Tensor:
        """Features before the second linear layer.

        Args:
            feats: maps of the encoder; the last one, (B * num_patches, in_channels, h, w), is used.

        Returns:
            (B, hidden_channels), not negative.
        """
        pooled = feats[-1].amax(dim=(2, 3))
        if len(pooled) % self.num_patches:
            raise ValueError(
                f'{len(pooled)} patches in a batch, expected a multiple of num_patches={self.num_patches}; the target '
                'of the pipeline makes another number'
            )
        return self.relu(self.hidden(pooled.reshape(-1, self.hidden.in_features)))

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor]:
        """Predict from the last map.

        Args:
            feats: as :meth:`embed`.

        Returns:
            A tuple with one tensor (B, out_channels).
        """
        return (self.out(self.embed(feats)),)
