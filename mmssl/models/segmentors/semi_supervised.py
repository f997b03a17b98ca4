"""Semi-supervised segmentation and domain adaptation with a mean teacher and mixed images (S2, chapter 3)."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor, nn

from mmssl.errors import DataError
from mmssl.registry import MODELS

from ..draw_seed import draw_seed
from ..losses.consistency import IGNORE_INDEX
from ..teachers.mean_teacher import MeanTeacher
from .mix_record import MixRecord
from .strong_view import MixedBatch, StrongView

NETWORKS = ('student', 'teacher')


@MODELS.register_module()
class SemiSupervisedSegmentor(BaseSegmentor):
    """Train a segmentor of mmseg on labelled images and, by a teacher's predictions, on mixed unlabelled ones.

    Source: S2, section 3.2 and figures 3.3 and 3.4. The teacher predicts the weak view; the mixing draws a mask and
    mixes images, targets and weights with it; the student learns from the labelled and the mixed images, equation 3.1:

        L = L_l + lambda_u * L_u

    L_l is the segmentor's own loss. ``MeanTeacherHook`` is needed beside it: it tells the iteration, synchronises the
    teacher and updates it. Batches come from ``PairedDataset``; masks of unlabelled images are never looked at.

    Args:
        segmentor: config of the student and the teacher, any of mmseg that predicts one score a class and pixel; its
            ``data_preprocessor`` prepares both branches.
        mixing: config of the rule that draws masks (``mmssl.ClassMix``, ``CutMix``, ``CowMix``); None leaves the
            images as they are.
        mix_source: what is pasted: an ``'unlabeled'`` image on the next of the batch (ClassMix and, on a target
            domain, IntraMix), or a ``'labeled'`` source image on an unlabelled one (DACS).
        weighting: config of lambda_u, from ``mmssl.models.weighting``; the share of confident pixels by default.
        target: ``'pseudo_label'`` (equation 2.11) or the teacher's distributions, ``'soft'``.
        loss_unlabeled: config of L_u, ``mmssl.ConsistencyCrossEntropyLoss`` (default) or
            ``ConsistencySquaredErrorLoss``.
        augmentations: configs of what is done to the mixed images (section 3.4), in this order:
            ``mmssl.BatchColorJitter``, ``mmssl.BatchGaussianBlur``.
        teacher: arguments of :class:`MeanTeacher`: ``alpha``, ``ramp``, ``buffers``, ``mode``.
        distribution_alignment: ``target`` and ``momentum`` of :class:`DistributionAlignment`, or None.
        burn_in: iterations of supervised training before the teacher is made and unlabelled images count. 0 starts
            with the first iteration, as in the thesis.
        predict_on: which network ``predict`` uses, ``'student'`` (as in the thesis) or ``'teacher'``.
        data_preprocessor: as the segmentor's; a runner passes a config's top-level one. Not beside another one of the
            segmentor.
        init_cfg: mmengine's initialisation of the whole; weights to start from usually belong to ``segmentor``.

    Raises:
        ValueError: on an option that does not exist, or options that exclude each other.
    """

    def __init__(
        self,
        *,
        segmentor: dict,
        mixing: dict | None = None,
        mix_source: str = 'unlabeled',
        weighting: dict | None = None,
        target: str = 'pseudo_label',
        loss_unlabeled: dict | None = None,
        augmentations: Sequence[dict] = (),
        teacher: dict | None = None,
        distribution_alignment: dict | None = None,
        burn_in: int = 0,
        predict_on: str = 'student',
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ):
        if predict_on not in NETWORKS:
            raise ValueError(f'SemiSupervisedSegmentor: predict_on={predict_on!r}, expected one of {NETWORKS}')
        if burn_in < 0:
            raise ValueError(f'SemiSupervisedSegmentor: burn_in={burn_in}, expected 0 or more iterations')
        segmentor = dict(segmentor)
        own = segmentor.pop('data_preprocessor', None)
        if own is not None and data_preprocessor is not None and dict(own) != dict(data_preprocessor):
            raise ValueError('SemiSupervisedSegmentor: two different data_preprocessor, expected that of the segmentor')
        branch = own or data_preprocessor
        if branch is None:
            raise ValueError('SemiSupervisedSegmentor: the segmentor has no data_preprocessor, expected its config')
        super().__init__({'type': 'mmssl.PairedDataPreprocessor', 'branch': branch}, init_cfg)
        self.student = MODELS.build(segmentor)
        if not isinstance(self.student, BaseSegmentor) or getattr(self.student, 'out_channels', 2) == 1:
            raise ValueError(
                f'SemiSupervisedSegmentor: segmentor {segmentor["type"]!r} does not give one score a class, expected '
                'one of mmseg with at least 2 output channels'
            )
        self.teacher = MeanTeacher(self.student, **(teacher or {}))
        self.strong_view = StrongView(
            mixing=mixing,
            mix_source=mix_source,
            weighting=weighting or {'type': 'mmssl.ConfidentShareWeighting'},
            target=target,
            augmentations=augmentations,
            distribution_alignment=distribution_alignment,
            num_classes=self.student.num_classes,
            rgb=bool(branch.get('bgr_to_rgb', False)),  # OpenMMLab loads images as BGR
        )
        self.loss_unlabeled = MODELS.build(loss_unlabeled or {'type': 'mmssl.ConsistencyCrossEntropyLoss'})
        self.burn_in = burn_in
        self.predict_on = predict_on
        self.iteration = 0
        self.wants_record = False
        self.record: MixRecord | None = None
        self._draw_seed: int | None = None

    @property
    def network(self) -> nn.Module:
        """The segmentor that predicts: that of the student or of the teacher."""
        return self.student if self.predict_on == 'student' else self.teacher.model

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.student.num_classes

    @property
    def mix_source(self) -> str:
        """What is pasted, ``'unlabeled'`` or ``'labeled'`` images."""
        return self.strong_view.mix_source

    def begin_iteration(self, iteration: int, seed: int) -> None:
        """Tell the iteration that follows; masks and augmentations are drawn by it, the seed and the rank alone.

        Args:
            iteration: of the training, from 0.
            seed: of the run, at least 0.
        """
        self.iteration = iteration
        self._draw_seed = draw_seed(seed, iteration)

    def loss(self, inputs: dict[str, Tensor], data_samples: dict[str, list]) -> dict[str, Tensor]:
        """Losses of a paired batch; no weight of the model changes.

        Args:
            inputs: ``labeled`` and ``unlabeled``, each (B, 3, H, W) float.
            data_samples: likewise, each a list of B samples; the labelled have ``gt_sem_seg``.

        Returns:
            The segmentor's own losses and, after the burn-in, ``loss_unlabeled``.

        Raises:
            DataError: the batch has no branches, or the teacher was never synchronised, also during the burn-in.
            ValueError: the images to mix have different sizes.
        """
        if not isinstance(inputs, dict):
            raise DataError('SemiSupervisedSegmentor: a batch without branches, expected those of mmssl.PairedDataset')
        # Without the hook no iteration is told either: a burn-in would never end.
        self._check_teacher()
        self.record = None
        losses = self.student.loss(inputs['labeled'], data_samples['labeled'])
        if self.iteration >= self.burn_in:
            mixed = self.mix_batch(inputs, data_samples, self.teach(inputs['unlabeled']))
            scores = self.student_scores(mixed.images)
            valid = mixed.labels != IGNORE_INDEX
            losses['loss_unlabeled'] = self.loss_unlabeled(scores, mixed.target, mixed.weight, valid)
            if mixed.record is not None:
                self.record = replace(mixed.record, student_logits=scores.detach())
        self.wants_record = False
        return losses

    @torch.no_grad()
    def teach(self, images: Tensor) -> Tensor:
        """Predictions of the teacher.

        Args:
            images: (B, 3, H, W), float: the weak view.

        Returns:
            (B, K, H, W), float, probabilities; no gradient reaches them.

        Raises:
            DataError: the teacher was never synchronised.
        """
        self._check_teacher()
        return _scores(self.teacher.model, images).softmax(1)

    def _check_teacher(self) -> None:
        if not self.teacher.ready:
            raise DataError('the teacher was never synchronised with the student: add mmssl.MeanTeacherHook')

    def student_scores(self, images: Tensor) -> Tensor:
        """Scores of the student before the softmax, with a graph.

        Args:
            images: (B, 3, H, W), float.

        Returns:
            (B, K, H, W), float.
        """
        return _scores(self.student, images)

    def mix_batch(self, inputs: dict[str, Tensor], data_samples: dict[str, list], probabilities: Tensor) -> MixedBatch:
        """What the student is shown and asked for, by the teacher's predictions; drawn anew for every iteration.

        Args:
            inputs: as for ``loss``.
            data_samples: as for ``loss``.
            probabilities: (B, K, H, W), of the teacher on the unlabelled images.

        Returns:
            The mixed images with their targets and weights.
        """
        generator = None if self._draw_seed is None else torch.Generator().manual_seed(self._draw_seed)
        return self.strong_view(
            inputs,
            data_samples,
            probabilities,
            iteration=self.iteration,
            generator=generator,
            preprocessor=self.data_preprocessor.branch,
            wants_record=self.wants_record,
        )

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """As the segmentor's ``predict``, of the network that ``predict_on`` names.

        Raises:
            DataError: the teacher is asked for and was never made: no checkpoint, or one of the burn-in.
        """
        made = self.teacher.ready and (not self.burn_in or self.teacher.num_steps > 0)
        if self.predict_on == 'teacher' and not made:
            raise DataError(
                "predict_on='teacher': the teacher was never synchronised, expected a checkpoint from after the burn-in"
            )
        return self.network.predict(inputs, data_samples)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """As the segmentor's: (B, K, H, W) scores."""
        return self.network.encode_decode(inputs, batch_img_metas)

    def extract_feat(self, inputs: Tensor) -> list[Tensor]:
        """As the segmentor's: the feature maps."""
        return self.network.extract_feat(inputs)

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.network._forward(inputs, data_samples)


def _scores(network: nn.Module, images: Tensor) -> Tensor:
    """(B, K, H, W) scores at the size of the images, with gradients where the network has them."""
    size = images.shape[2:]
    metas = [{'img_shape': size, 'pad_shape': size, 'ori_shape': size}] * len(images)
    return network.encode_decode(images, metas)
