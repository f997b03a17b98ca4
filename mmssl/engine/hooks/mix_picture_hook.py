"""Draw the mixed images of semi-supervised training."""

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from mmssl.registry import HOOKS
from mmssl.visualization.mask_picture import distinct_palette
from mmssl.visualization.mix_picture import mix_picture
from mmssl.visualization.preprocessed_images import to_pictures

from .pseudo_label_hook import IGNORE_INDEX, recording_model


@HOOKS.register_module()
class MixPictureHook(Hook):
    """Hand the visualizer a picture of mixed images: A, B, mask, mixed image, target, the student's prediction.

    It is drawn at the first iteration that mixes, after the burn-in, and at every ``interval``-th one. With the
    backends of mmengine it is ``vis_data/vis_image/mix_<iteration>.png`` and the image ``mix`` of TensorBoard.

    Args:
        interval: iterations.
        num_images: rows of the picture; fewer where the batch has fewer.

    Raises:
        ValueError: a number is below 1, or the model leaves no records.
    """

    def __init__(self, *, interval: int = 500, num_images: int = 2):
        if interval < 1 or num_images < 1:
            raise ValueError(f'MixPictureHook: interval={interval}, num_images={num_images}, expected numbers from 1')
        self.interval = interval
        self.num_images = num_images
        self._drawn = False

    def before_train(self, runner) -> None:
        """Check the model."""
        recording_model(runner, 'MixPictureHook')

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Ask for a record."""
        if self._wants(runner):
            recording_model(runner, 'MixPictureHook').wants_record = True

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Draw."""
        model = recording_model(runner, 'MixPictureHook')
        if model.record is None or not self._wants(runner):
            return
        record, meta = model.record, runner.train_dataloader.dataset.metainfo
        labeled = getattr(model, 'mix_source', 'unlabeled') == 'labeled'
        picture = mix_picture(
            *(self._photographs(images, model) for images in (record.first_images, record.second_images)),
            self._maps(record.mask),
            self._photographs(record.mixed_images, model),
            self._maps(record.mixed_target),
            self._maps(record.student_logits.argmax(1)),
            classes=meta['classes'],
            palette=meta.get('palette') or distinct_palette(len(meta['classes'])),
            names=('labelled image A', 'unlabelled image B') if labeled else ('image A', 'image B'),
            ignore_index=IGNORE_INDEX,
            heading=f'iteration {runner.iter + 1}',
        )
        runner.visualizer.add_image('mix', picture, step=runner.iter + 1)
        self._drawn = True

    def _wants(self, runner) -> bool:
        return is_main_process() and (not self._drawn or self.every_n_train_iters(runner, self.interval))

    def _photographs(self, images: Tensor, model) -> np.ndarray:
        """(B, H, W, 3) uint8 RGB of the first few images of a batch."""
        preprocessor = getattr(model.data_preprocessor, 'branch', model.data_preprocessor)
        # OpenMMLab loads images as BGR; mmseg and mmengine name the attribute differently.
        rgb = any(getattr(preprocessor, name, False) for name in ('channel_conversion', '_channel_conversion'))
        return np.stack(to_pictures(images[: self.num_images], preprocessor, rgb=rgb))

    def _maps(self, maps: Tensor) -> np.ndarray:
        return maps[: self.num_images].cpu().numpy()
