"""Patches of images, on the device: one batch dimension, float, normalised."""

from collections.abc import Sequence

import torch
from mmpretrain.models import ClsDataPreprocessor
from torch import Tensor

from mmssl.registry import MODELS

NORMALIZATIONS = ('patch', 'dataset')


def normalize_each(images: Tensor, eps: float = 1.0) -> Tensor:
    """Give each channel of each image mean 0 and standard deviation 1.

    Args:
        images: (N, C, h, w) float.
        eps: the deviation that flatter channels are divided by; in the unit of the images.

    Returns:
        (N, C, h, w) float.
    """
    deviation, mean = torch.std_mean(images, dim=(2, 3), correction=0, keepdim=True)
    return (images - mean) / deviation.clamp(min=eps)


@MODELS.register_module()
class PatchDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ``ClsDataPreprocessor`` for several patches an image.

    Each patch is normalised by its own mean and standard deviation (S0, section 3.2.3, after M. Noroozi and
    P. Favaro, ECCV 2016), so that common brightness and colour do not tell which patches are neighbours.

    Args:
        normalize: ``patch``, each channel of each patch by its own mean and deviation, or ``dataset``, by ``mean`` and
            ``std``.
        mean: of red, green, blue in 0..255, for ``dataset``.
        std: standard deviation of red, green, blue, for ``dataset``.
        eps: for ``patch``: smallest deviation to divide by, in grey levels of 0..255; keeps flat patches flat.
        to_rgb: whether to turn BGR to RGB.
        batch_augments: None; mmpretrain's classifier passes it on, and mixing images makes no puzzle.

    Raises:
        ValueError: an unknown normalisation, one without its numbers, mixing, or inputs that are no patches of one
            size.
    """

    def __init__(
        self,
        *,
        normalize: str = 'patch',
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        eps: float = 1.0,
        to_rgb: bool = True,
        batch_augments: None = None,
    ) -> None:
        name = 'PatchDataPreprocessor'
        if normalize not in NORMALIZATIONS:
            raise ValueError(f'{name}: normalize={normalize!r}, expected one of {NORMALIZATIONS}')
        if normalize == 'dataset' and not (mean and std and len(mean) == len(std) == 3):
            raise ValueError(f"{name}: mean={mean}, std={std}, expected 3 numbers each for normalize='dataset'")
        if normalize == 'patch' and (mean is not None or std is not None):
            raise ValueError(f"{name}: mean={mean}, std={std}, expected neither with normalize='patch'")
        if eps <= 0:
            raise ValueError(f'{name}: eps={eps}, expected a positive number of grey levels')
        if batch_augments is not None:
            raise ValueError(f'{name}: batch_augments={batch_augments}, expected None, as for train_cfg of the model')
        super().__init__(mean=mean, std=std, to_rgb=to_rgb)
        self.normalize = normalize
        self.eps = eps

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs``, (B, P, 3, h, w) uint8 BGR or a list of B tensors (P, 3, h, w), and if wanted
                ``data_samples``, B of mmpretrain's ``DataSample``.
            training: not used; both modes are the same.

        Returns:
            ``inputs`` (B * P, 3, h, w) float on the device of the model, the patches of an image after each other;
            ``data_samples`` with their labels on that device, or None.
        """
        inputs = _stack(data['inputs']).flatten(0, 1)
        prepared = super().forward({**data, 'inputs': inputs}, training)
        if self.normalize == 'patch':
            prepared['inputs'] = normalize_each(prepared['inputs'], self.eps)
        return prepared


def _stack(inputs: Tensor | Sequence[Tensor]) -> Tensor:
    shapes = {tuple(image.shape) for image in inputs}
    if len(shapes) != 1 or len(next(iter(shapes))) != 4 or next(iter(shapes))[1] != 3:
        raise ValueError(
            f'PatchDataPreprocessor: inputs of the shapes {sorted(shapes)} found, expected one shape (P, 3, h, w), as '
            'mmssl.JigsawTarget and mmssl.RelativePatchTarget make'
        )
    return inputs if isinstance(inputs, Tensor) else torch.stack(list(inputs))
