"""Write pictures of predictions during testing."""

from pathlib import Path

import cv2
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmssl.registry import HOOKS
from mmssl.visualization.mask_picture import distinct_palette
from mmssl.visualization.prediction_picture import prediction_picture, prediction_sheet


@HOOKS.register_module()
class PictureHook(Hook):
    """Write photograph, truth and prediction side by side, one PNG an image, and a sheet of the first few.

    Unlike mmseg's ``SegVisualizationHook`` it draws what the network was given, not the file at ``img_path``: images
    that are made by the pipeline have no file.

    Args:
        out_dir: folder of the pictures: ``<out_dir>/<stem of img_path>.png`` and ``<out_dir>/sheet.png``.
        interval: draw every n-th image.
        rows: images on the sheet.
        alpha: share of the class colour over the photograph, 0 to 1.

    Raises:
        ValueError: when a number is below 1.
        OSError: when a picture cannot be written.
    """

    def __init__(self, *, out_dir: str, interval: int = 1, rows: int = 4, alpha: float = 0.7):
        if interval < 1 or rows < 1:
            raise ValueError(f'PictureHook: interval={interval}, rows={rows}, expected numbers from 1')
        self.out_dir = Path(out_dir)
        self.interval = interval
        self.rows = rows
        self.alpha = alpha
        self._seen = 0
        self._sheet: list[np.ndarray] = []

    def before_test_epoch(self, runner) -> None:
        """Start counting."""
        self._seen, self._sheet = 0, []

    def after_test_iter(self, runner, batch_idx: int, data_batch: dict, outputs: list) -> None:
        """Draw the samples of a batch."""
        meta = runner.test_dataloader.dataset.metainfo
        palette = meta.get('palette') or distinct_palette(len(meta['classes']))
        bgr = [colour[::-1] for colour in palette]
        for image, sample in zip(data_batch['inputs'], outputs, strict=True):
            self._seen += 1
            if (self._seen - 1) % self.interval:
                continue
            truth = sample.gt_sem_seg.data.squeeze(0).cpu().numpy() if 'gt_sem_seg' in sample else None
            picture = prediction_picture(
                np.ascontiguousarray(image.cpu().numpy().transpose(1, 2, 0)),
                truth,
                sample.pred_sem_seg.data.squeeze(0).cpu().numpy(),
                bgr,
                alpha=self.alpha,
            )
            self._write(f'{Path(sample.img_path).stem}.png', picture)
            if truth is not None and len(self._sheet) < self.rows:
                self._sheet.append(picture)

    def after_test_epoch(self, runner, metrics: dict | None = None) -> None:
        """Write the sheet: images of the width of the first."""
        if not self._sheet or not is_main_process():
            return
        meta = runner.test_dataloader.dataset.metainfo
        palette = meta.get('palette') or distinct_palette(len(meta['classes']))
        pictures = [picture for picture in self._sheet if picture.shape[1] == self._sheet[0].shape[1]]
        sheet = prediction_sheet(pictures, meta['classes'], [colour[::-1] for colour in palette])
        self._write('sheet.png', sheet)

    def _write(self, name: str, picture: np.ndarray) -> None:
        self.out_dir.mkdir(parents=True, exist_ok=True)
        if not cv2.imwrite(str(self.out_dir / name), picture):
            raise OSError(f'{self.out_dir / name}: the picture cannot be written')
