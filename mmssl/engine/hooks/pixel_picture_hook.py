"""Draw what pixel-level pretraining does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from mmssl.models.selfsup.pixel_record import PixelRecord
from mmssl.registry import HOOKS
from mmssl.visualization.pixel_picture import pixel_picture
from mmssl.visualization.preprocessed_images import to_pictures

from .pseudo_label_hook import recording_model


@HOOKS.register_module()
class PixelPictureHook(Hook):
    """Hand the visualizer a picture of pixel-level pretraining (S1, section 2.4.1), a row an image.

    Both views with their positive pairs, what the online encoder sees of them, its features, those of a warped view
    before and after the way back, and the similarity of one pixel of view 1 to the target's pixels of view 2. It is
    drawn at the first iteration and at every ``interval``-th one. With the backends of mmengine it is
    ``vis_data/vis_image/pixel_views_<iteration>.png`` and the image ``pixel_views`` of TensorBoard.

    Args:
        interval: iterations.
        num_images: rows of the picture; fewer where the batch has fewer.
        pixel: row and column of the pixel, a cell of the map of view 1, from 0; None takes the one nearest to the
            centre that has a positive pair, and the central one without any.

    Raises:
        ValueError: a number is out of its range, ``pixel`` is not on the map, or the model leaves no such records.
    """

    def __init__(self, *, interval: int = 500, num_images: int = 2, pixel: Sequence[int] | None = None):
        if interval < 1 or num_images < 1:
            raise ValueError(f'PixelPictureHook: interval={interval}, num_images={num_images}, expected numbers from 1')
        if pixel is not None and (len(pixel) != 2 or any(not isinstance(one, int) or one < 0 for one in pixel)):
            raise ValueError(f'PixelPictureHook: pixel={pixel}, expected (row, column), whole numbers from 0')
        self.interval = interval
        self.num_images = num_images
        self.pixel = None if pixel is None else tuple(pixel)
        self._drawn = False

    def before_train(self, runner) -> None:
        """Check the model."""
        self._model(runner)

    def before_train_iter(self, runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Ask for a record."""
        if self._wants(runner):
            self._model(runner).wants_record = True

    def after_train_iter(
        self, runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Draw."""
        model = self._model(runner)
        record = model.record
        if record is None or not self._wants(runner):
            return
        if not isinstance(record, PixelRecord):
            raise ValueError(
                f'PixelPictureHook: {type(model).__name__} leaves a {type(record).__name__}, expected mmssl.PixPro'
            )
        samples = record.data_samples[: self.num_images]
        try:
            picture = pixel_picture(
                self._photographs(record.views, model),
                self._photographs(record.erased, model),
                self._arrays(record.affine),
                *([self._arrays(one) for one in maps] for maps in (record.raw, record.online, record.target)),
                [None if one is None else self._arrays(one) for one in record.valid],
                self._arrays(record.pairs),
                names=[
                    Path(sample.get('img_path') or f'image {index + 1}').name for index, sample in enumerate(samples)
                ],
                pixel=self.pixel,
                heading=f'iteration {runner.iter + 1}',
            )
        except ValueError as error:
            raise ValueError(f'PixelPictureHook: {error}') from None
        runner.visualizer.add_image('pixel_views', picture, step=runner.iter + 1)
        self._drawn = True

    def _model(self, runner):
        return recording_model(runner, 'PixelPictureHook', 'mmssl.PixPro')

    def _wants(self, runner) -> bool:
        return is_main_process() and (not self._drawn or self.every_n_train_iters(runner, self.interval))

    def _photographs(self, views: Sequence[Tensor], model) -> list[np.ndarray]:
        """(B, H, W, 3) uint8 RGB of the first few images, of each view."""
        preprocessor = model.data_preprocessor
        rgb = bool(getattr(preprocessor, '_channel_conversion', False))  # OpenMMLab loads images as BGR
        return [np.stack(to_pictures(view[: self.num_images], preprocessor, rgb=rgb)) for view in views]

    def _arrays(self, maps: Tensor) -> np.ndarray:
        maps = maps[: self.num_images].cpu()
        return maps.float().numpy() if maps.is_floating_point() else maps.numpy()
