"""Pixel propagation module of PixPro: each pixel takes up the pixels that are like it (S1, section 2.4.1)."""

import math

from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmssl.registry import MODELS

from .propagation import propagate, similarity, unit_vectors

LAYERS = (0, 1, 2)


def value_transform(channels: int, layers: int, norm_relu: bool, norm_cfg: dict | None) -> nn.Sequential:
    """The transformation g of equation 2.10: 1x1 convolutions, with a norm and ReLU between them.

    Args:
        channels: of input, result and everything between.
        layers: number of convolutions; 0 is the identity.
        norm_relu: whether a norm and ReLU follow the last convolution too.
        norm_cfg: the norm, as mmcv's ``build_norm_layer`` reads it; None is batch normalisation.

    Returns:
        (B, channels, H, W) -> (B, channels, H, W).
    """
    parts: list[nn.Module] = []
    for layer in range(layers):
        parts.append(nn.Conv2d(channels, channels, 1))
        if norm_relu or layer < layers - 1:
            norm = build_norm_layer(norm_cfg or {'type': 'BN'}, channels)[1]
            parts += [norm, nn.ReLU(inplace=True)]
    return nn.Sequential(*parts)


@MODELS.register_module()
class PPM(BaseModule):
    """Adds up transformed features of all pixels of the image, weighted by their similarity.

        y_i = sum_j max(cos(x_i, x_j), 0)^gamma * g(x_j)

    Source: S1, section 2.4.1, equations 2.10 and 2.11; Xie et al., "Propagate Yourself", 2021. There is no softmax and
    no division by the number of pixels. Memory and time grow with the square of the area: :class:`mmssl.LocalPPM`.

    Deviations from the text of S1, both as in the released code of PixPro, which S1 builds on:

    - g is one linear layer. S1 has batch normalisation and ReLU after it (``transform_norm_relu=True``), where the
      paper of PixPro has them between adjacent layers; after the last one they would make every y_i non-negative,
      while the features that it is compared with have both signs.
    - g(x_j) is normalised before the sum (``normalize_values=False`` is the equation's letter), so that a pixel counts
      by its similarity and not by its length. The sum is not normalised: the loss is a cosine.

    For ``gamma`` below 1 the released code adds 1e-6 to every cosine; here a cosine of 0 stays 0
    (:func:`mmssl.models.necks.propagation.similarity`).

    Args:
        in_channels: C, channels of input and output.
        gamma: sharpness of the similarity, above 0.
        transform_layers: linear layers (1x1 convolutions with bias) of g: 0 is the identity, 1 is one layer, 2 has
            a norm and ReLU between the two.
        transform_norm_relu: whether a norm and ReLU follow the last layer of g too.
        normalize_values: whether g(x_j) is divided by its length.
        norm_cfg: norm inside g; None is batch normalisation.
        init_cfg: mmengine's initialisation; by default the layers keep torch's.

    Raises:
        ValueError: an option outside these values; an input that is no (B, C, H, W).
    """

    def __init__(
        self,
        *,
        in_channels: int = 256,
        gamma: float = 2.0,
        transform_layers: int = 1,
        transform_norm_relu: bool = False,
        normalize_values: bool = True,
        norm_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        name = type(self).__name__
        if in_channels < 1:
            raise ValueError(f'{name}: in_channels={in_channels}, expected at least 1')
        if not 0 < gamma < math.inf:
            raise ValueError(f'{name}: gamma={gamma}, expected a number above 0')
        if transform_layers not in LAYERS:
            raise ValueError(f'{name}: transform_layers={transform_layers}, expected one of {LAYERS}')
        if transform_norm_relu and not transform_layers:
            raise ValueError(f'{name}: transform_norm_relu with transform_layers=0, expected 1 or 2 layers')
        if norm_cfg is not None and transform_layers < 2 and not transform_norm_relu:
            raise ValueError(
                f'{name}: norm_cfg with transform_layers={transform_layers}, which has no norm; expected '
                '2 layers or transform_norm_relu'
            )
        self.in_channels = in_channels
        self.gamma = gamma
        self.normalize_values = normalize_values
        self.transform = value_transform(in_channels, transform_layers, transform_norm_relu, norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            expected = f'(B, {self.in_channels}, H, W)'
            raise ValueError(f'{type(self).__name__}: input {tuple(x.shape)}, expected {expected}')
        # Before the values, so that the backward pass is done with these when it comes to the similarities.
        similarities = similarity(self.split(x), self.gamma)
        values = self.split(self.transform(x))
        if self.normalize_values:
            values = unit_vectors(values)
        return self.join(propagate(values, similarities), x.shape)

    def split(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (N, C, P): the sets of pixels within which features are propagated; here N is B."""
        return x.flatten(2)

    def join(self, sets: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Inverse of :meth:`split`, for a map of the given shape."""
        return sets.view(shape)

    def extra_repr(self) -> str:
        """Constructor arguments that no layer shows."""
        return f'gamma={self.gamma:g}, normalize_values={self.normalize_values}'
