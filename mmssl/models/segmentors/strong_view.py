"""The strong view of unlabelled images: mixed with others, changed in colour, blurred (S2, sections 3.1 to 3.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmssl.registry import MODELS

from ..losses.consistency import IGNORE_INDEX, one_hot
from ..mixing.mix import mix
from ..teachers.distribution_alignment import DistributionAlignment
from .mix_record import MixRecord
from .valid_region import valid_region

MIX_SOURCES = ('unlabeled', 'labeled')
TARGETS = ('pseudo_label', 'soft')


@dataclass
class MixedBatch:
    """What the student learns from beside the labelled images.

    Attributes:
        images: (B, 3, H, W), float, mixed and augmented.
        labels: (B, H, W), int64, mixed pseudo-labels (and truth where labelled images were pasted); 255 where ignored.
        target: ``labels``, or (B, K, H, W), float, mixed distributions.
        weight: (B, H, W), float, lambda_u of each pixel.
        record: what hooks look at, where it was asked for.
    """

    images: Tensor
    labels: Tensor
    target: Tensor
    weight: Tensor
    record: MixRecord | None = None


class StrongView(nn.Module):
    """Turn the teacher's predictions into images, targets and weights for the student, all mixed by one mask.

    Args:
        mixing: config of the rule that draws masks, or None.
        mix_source: ``'unlabeled'`` or ``'labeled'``, what is pasted.
        weighting: config of lambda_u.
        target: ``'pseudo_label'`` or ``'soft'``.
        augmentations: configs of what is done to the mixed images.
        distribution_alignment: ``target`` and ``momentum`` of :class:`DistributionAlignment`, or None.
        num_classes: K.
        rgb: whether images come in the order red, green, blue, and not the reverse.

    Raises:
        ValueError: on an option that does not exist, or options that exclude each other.
    """

    def __init__(
        self,
        *,
        mixing: dict | None,
        mix_source: str,
        weighting: dict,
        target: str,
        augmentations: Sequence[dict],
        distribution_alignment: dict | None,
        num_classes: int,
        rgb: bool = True,
    ):
        super().__init__()
        for name, value, known in (('mix_source', mix_source, MIX_SOURCES), ('target', target, TARGETS)):
            if value not in known:
                raise ValueError(f'SemiSupervisedSegmentor: {name}={value!r}, expected one of {known}')
        if mix_source == 'labeled' and mixing is None:
            raise ValueError("SemiSupervisedSegmentor: mix_source='labeled' without mixing, expected a rule to mix by")
        self.mixing = MODELS.build(mixing) if mixing else None
        self.mix_source = mix_source
        self.weighting = MODELS.build(weighting)
        self.target = target
        self.rgb = rgb
        self.augmentations = nn.ModuleList(MODELS.build(augmentation) for augmentation in augmentations)
        self.alignment = None
        if distribution_alignment:
            self.alignment = DistributionAlignment(num_classes=num_classes, **distribution_alignment)

    @torch.no_grad()
    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: dict[str, list],
        probabilities: Tensor,
        *,
        iteration: int,
        generator: torch.Generator | None,
        preprocessor: BaseDataPreprocessor,
        wants_record: bool = False,
    ) -> MixedBatch:
        """Make the strong view of a batch.

        Args:
            inputs: ``labeled`` and ``unlabeled``, each (B, 3, H, W) float, normalised.
            data_samples: likewise, each a list of B samples; the labelled have ``gt_sem_seg``.
            probabilities: (B, K, H, W), float, of the teacher on the unlabelled images.
            iteration: of the training, from 0.
            generator: of the draws, on the CPU; None for torch's own.
            preprocessor: what normalised the images; undone for the augmentations.
            wants_record: whether to keep what hooks look at.

        Returns:
            The mixed batch.

        Raises:
            ValueError: the images to mix have different sizes.
        """
        images = inputs['unlabeled']
        valid = valid_region(data_samples['unlabeled'], images.shape[-2:], images.device)
        if self.alignment is not None:
            probabilities = self.alignment(probabilities, valid)
        confidence, labels = probabilities.max(1)
        labels.masked_fill_(~valid, IGNORE_INDEX)
        weight = self.weighting(confidence, valid, iteration)
        target = labels if self.target == 'pseudo_label' else probabilities
        first = second = (images, labels, target, weight)
        mask = None
        if self.mixing is not None:
            if self.mix_source == 'unlabeled':
                second = tuple(part.roll(-1, 0) for part in first)
            else:
                first = _labeled(inputs['labeled'], data_samples['labeled'], target, weight)
            mask = self.mixing.draw(first[1], generator)
        mixed = MixedBatch(*(self._mix(mask, one, other) for one, other in zip(first, second, strict=True)))
        mixed.images = self._augment(mixed.images, generator, preprocessor)
        if wants_record:
            mixed.record = MixRecord(
                first_images=first[0],
                second_images=second[0],
                mixed_images=mixed.images,
                mask=torch.ones_like(valid) if mask is None else mask,
                mixed_target=mixed.labels,
                mixed_weight=mixed.weight,
                pseudo_labels=labels,
                confidence=confidence,
                probabilities=probabilities,
                student_logits=None,
                data_samples=data_samples['unlabeled'],
            )
        return mixed

    def _mix(self, mask: Tensor | None, first: Tensor, second: Tensor) -> Tensor:
        if mask is None:
            return first
        pasted = 'labelled images' if self.mix_source == 'labeled' else 'unlabelled images'
        return mix(mask, first, second, (pasted, 'unlabelled images'))

    def _augment(self, images: Tensor, generator: torch.Generator | None, preprocessor) -> Tensor:
        """Colour and blur of the mixed images, on RGB in 0..1."""
        if not self.augmentations:
            return images
        normalised = getattr(preprocessor, 'mean', None) is not None
        mean, std = (preprocessor.mean, preprocessor.std) if normalised else (0.0, 1.0)
        images = ((images * std + mean) / 255).clamp(0, 1)
        images = images if self.rgb else images.flip(1)
        for augmentation in self.augmentations:
            images = augmentation(images, generator)
        images = images if self.rgb else images.flip(1)
        return (images * 255 - mean) / std


def _labeled(images: Tensor, data_samples: list, target: Tensor, weight: Tensor) -> tuple[Tensor, ...]:
    """What is pasted from labelled images: their truth, with full weight."""
    labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples])
    pasted = one_hot(labels, target.shape[1], target.dtype) if target.is_floating_point() else labels
    return images, labels, pasted, torch.ones_like(labels, dtype=weight.dtype)
