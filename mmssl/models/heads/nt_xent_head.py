"""Contrast of two views."""

from mmengine.model import BaseModule
from torch import Tensor

from mmssl.models.losses.nt_xent import nt_xent
from mmssl.registry import MODELS


@MODELS.register_module()
class NTXentHead(BaseModule):
    """NT-Xent loss between the projections of two views (S0, section 3.2.7).

    Args:
        temperature: positive; 0.5 in the thesis.
        init_cfg (dict, optional): mmengine's initialisation; the head has no weights.

    Raises:
        ValueError: the temperature is not positive.
    """

    def __init__(self, *, temperature: float = 0.5, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        if temperature <= 0:
            raise ValueError(f'NTXentHead: temperature is {temperature}, expected a positive number')
        self.temperature = temperature

    def loss(self, first: Tensor, second: Tensor) -> dict[str, Tensor]:
        """Loss of a batch.

        Args:
            first: (n, D), projections of the first views.
            second: (n, D), those of the second views of the same images.

        Returns:
            ``loss``, and ``agreement``: the share of views in [0, 1] whose nearest view is that of the same image.
        """
        loss, agreement = nt_xent(first, second, self.temperature)
        return {'loss': loss, 'agreement': agreement}
