"""Pixel-level pretraining with an online and a target encoder (S1, sections 2.4.1 and 3.1)."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Generator, Tensor, nn

from mmssl.errors import DataError
from mmssl.registry import MODELS

from ..draw_seed import draw_seed
from ..losses.positive_pairs import positive_pairs
from ..teachers.mean_teacher import MeanTeacher
from .erasing import normalised_black
from .feature_std import feature_std
from .pixel_encoder import PixelEncoder
from .pixel_record import PixelRecord
from .view_batch import stack_geometry, warped_views
from .warp_back import warp_back

VIEWS = 2
# The released code of PixPro: momentum 0.99 to 1, statistics of the target's own batches.
TEACHER = {'alpha': 0.99, 'end_alpha': 1.0, 'ramp': False, 'buffers': 'own', 'mode': 'train'}


@MODELS.register_module()
class PixPro(BaseModel):
    """Make the pixels of two views that show the same place agree; a drop-in for any recipe of the next task.

    Source: S1, sections 2.4.1 and 3.1, figure 3.1; Xie et al., "Propagate Yourself", 2021. Both views pass the online
    encoder (backbone, projector, propagation), where parts are erased, and the target encoder (backbone, projector),
    which follows the online one as a running mean, equation 2.9. Maps of a warped view are warped back, those of the
    online branch after the propagation; cells without image behind them are in no positive pair. The loss compares the
    online map of each view with the target map of the other, equation 2.13.

    ``MeanTeacherHook`` is needed beside it: it tells the iteration, synchronises the target and updates it after the
    step. The released code updates it before the next forward pass, with the same weights. Each view is a pass of its
    own, as there: batch normalisation sees one view at a time.

    After training the encoder is ``student.backbone``, which ``WeightTransferHook`` takes by
    ``source_modules='student.backbone'``.

    Args:
        backbone: config of the encoder, of mmpretrain or ours.
        neck: config of the projector, ``mmssl.ConvProjector``.
        propagation: config of what is between the online projection and the loss: ``mmssl.PPM``, ``mmssl.LocalPPM`` or
            ``mmssl.SelfAttentionPropagation``; None compares the projection itself.
        loss_consistency: config of the loss, ``mmssl.PixelConsistencyLoss`` by default.
        erasing: config of what is erased of the online encoder's views, ``mmssl.BatchRandomErasing`` or
            ``mmssl.BatchRandomPatchedErasing``; None leaves them whole.
        teacher: arguments of :class:`MeanTeacher` (by default ``alpha`` 0.99 rising to 1, own statistics), and
            ``norm_cfg``, the target's own norm, such as ``mmssl.MomentumBN`` (S1, section 3.1).
        data_preprocessor: mmpretrain's ``SelfSupDataPreprocessor``.
        init_cfg: mmengine's initialisation of the whole.

    Raises:
        ValueError: options that do not exist or do not fit.
    """

    burn_in = 0  # the target is made before the first iteration

    def __init__(
        self,
        *,
        backbone: dict,
        neck: dict,
        propagation: dict | None = None,
        loss_consistency: dict | None = None,
        erasing: dict | None = None,
        teacher: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        teacher = {**TEACHER, **(teacher or {})}
        norm_cfg = teacher.pop('norm_cfg', None)
        self.student = PixelEncoder(backbone, neck)
        network = None if norm_cfg is None else PixelEncoder(backbone, neck, norm_cfg)
        self.teacher = MeanTeacher(self.student, network=network, **teacher)
        self.propagation = nn.Identity() if propagation is None else MODELS.build(propagation)
        self.loss_consistency = MODELS.build(loss_consistency or {'type': 'mmssl.PixelConsistencyLoss'})
        self.erasing = None if erasing is None else MODELS.build(erasing)
        self.wants_record = False
        self.record: PixelRecord | None = None
        self._draw_seed: int | None = None

    @property
    def backbone(self) -> nn.Module:
        """The online encoder's backbone, what is kept after training."""
        return self.student.backbone

    def begin_iteration(self, iteration: int, seed: int) -> None:
        """Tell the iteration that follows; what is erased is drawn by it, the seed and the rank alone.

        Args:
            iteration: of the training, from 0.
            seed: of the run, at least 0.
        """
        self._draw_seed = draw_seed(seed, iteration)

    def forward(
        self, inputs: Sequence[Tensor] | Tensor, data_samples: Sequence | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | tuple[Tensor, ...]:
        """Losses of two views (``mode='loss'``), or the backbone's maps of images (B, 3, H, W) (``'tensor'``).

        Raises:
            ValueError: another mode.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'tensor':
            return self.backbone(inputs)
        raise ValueError(f"PixPro: mode={mode!r}, expected 'loss' or 'tensor': it predicts nothing")

    def loss(self, inputs: Sequence[Tensor], data_samples: Sequence[BaseDataElement]) -> dict[str, Tensor]:
        """Loss of a batch and its health; no weight of the model changes.

        Args:
            inputs: two (B, 3, H, W), float, the views, normalised.
            data_samples: B, each with ``boxes`` and ``affine``, as ``mmssl.PackPixelViews`` packs them.

        Returns:
            Scalars: ``loss_consistency``; without gradient ``cosine`` of the positive pairs, -1 to 1,
            ``num_positives`` of an image, ``no_overlap``, the share of images without any, ``feature_std`` of the
            online projections (:func:`feature_std`) and, of the self-attention, ``attention_gamma``.

        Raises:
            DataError: views without coordinates, or a target that was never synchronised.
            ValueError: there are not two views.
        """
        if not self.teacher.ready:
            raise DataError('the target encoder was never synchronised: add mmssl.MeanTeacherHook')
        if isinstance(inputs, Tensor) or len(inputs) != VIEWS:
            raise ValueError(f'PixPro: {len(inputs)} views found, 2 expected, of mmssl.PixelViews')
        self.record = None
        boxes, affine = stack_geometry(data_samples)
        warped = warped_views(affine)  # before the copy to the device, which is not waited for
        boxes, affine = (one.to(inputs[0].device, non_blocking=True) for one in (boxes, affine))

        erased = self.erase(inputs)
        projections = [self.student(view) for view in erased]
        raw = [self.propagation(projection) for projection in projections]
        targets = [self.project_target(view) for view in inputs]
        online, target, valid = list(raw), list(targets), [None] * VIEWS
        for view in range(VIEWS):
            if warped[view]:
                online[view], valid[view] = warp_back(raw[view], affine[:, view])
                target[view], _ = warp_back(targets[view], affine[:, view])
        found = self.loss_consistency(online, target, boxes, valid)
        if self.wants_record:
            self._remember(inputs, erased, boxes, affine, raw, online, target, valid, data_samples)
        losses = {
            'loss_consistency': found.loss,
            'cosine': found.cosine,
            'num_positives': found.num_positives.float().mean(),
            'no_overlap': found.no_overlap,
            'feature_std': feature_std(projections),
        }
        gamma = getattr(self.propagation, 'gamma', None)
        if isinstance(gamma, Tensor):  # that of PPM is a fixed number
            losses['attention_gamma'] = gamma.detach().clone()
        return losses

    def erase(self, views: Sequence[Tensor]) -> list[Tensor]:
        """What the online encoder sees of the views; those given stay whole, for the target.

        Args:
            views: each (B, 3, H, W), float, normalised.

        Returns:
            As many of the same shape, each with erased parts of its own.
        """
        if self.erasing is None:
            return list(views)
        generator = None if self._draw_seed is None else Generator().manual_seed(self._draw_seed)
        black = normalised_black(self.data_preprocessor)
        return [self.erasing(view, black, generator) for view in views]

    @torch.no_grad()
    def project_target(self, view: Tensor) -> Tensor:
        """(B, 3, H, W), float -> (B, C, h, w), of the target encoder; no gradient reaches it."""
        return self.teacher.model(view)

    def _remember(self, views, erased, boxes, affine, raw, online, target, valid, data_samples) -> None:
        pairs = positive_pairs(boxes, online[0].shape[2:], self.loss_consistency.threshold, valid)
        maps = {
            name: tuple(one.detach() for one in both)
            for name, both in {'views': views, 'erased': erased, 'raw': raw, 'online': online, 'target': target}.items()
        }
        self.record = PixelRecord(
            **maps, boxes=boxes, affine=affine, valid=tuple(valid), pairs=pairs, data_samples=list(data_samples)
        )
        self.wants_record = False
