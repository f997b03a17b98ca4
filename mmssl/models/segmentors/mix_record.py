"""What a step of semi-supervised training leaves for hooks that look at it."""

from dataclasses import dataclass

from mmengine.structures import BaseDataElement
from torch import Tensor


@dataclass
class MixRecord:
    """One batch of mixed images; the tensors are detached and on the device of the model.

    A hook asks for it by ``model.wants_record = True`` before an iteration and finds it as ``model.record`` after; it
    is None during the burn-in.

    Attributes:
        first_images: (B, 3, H, W), float, normalised; what is pasted, where the mask is True.
        second_images: (B, 3, H, W), float, normalised; what it is pasted on.
        mixed_images: (B, 3, H, W), float, normalised, as the student sees them: after jitter and blur.
        mask: (B, H, W), bool.
        mixed_target: (B, H, W), int64; classes, 255 where ignored.
        mixed_weight: (B, H, W), float; lambda_u of each pixel.
        pseudo_labels: (B, H, W), int64, of the weak view of the unlabelled images; 255 outside of the image.
        confidence: (B, H, W), float in 0..1; the teacher's largest probability.
        probabilities: (B, K, H, W), float in 0..1, of the teacher.
        student_logits: (B, K, H, W), float, of the student on the mixed images.
        data_samples: of the B unlabelled images.
    """

    first_images: Tensor
    second_images: Tensor
    mixed_images: Tensor
    mask: Tensor
    mixed_target: Tensor
    mixed_weight: Tensor
    pseudo_labels: Tensor
    confidence: Tensor
    probabilities: Tensor
    student_logits: Tensor | None
    data_samples: list[BaseDataElement]
