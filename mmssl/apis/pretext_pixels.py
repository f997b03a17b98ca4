"""Pictures of pixel-level pretraining (PixPro): where two views lie in an image, and which of their pixels agree."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch import Tensor
from torch.nn import Module
from tqdm import tqdm

from mmssl.apis.pretext_task import Drawing, PretextTask, file_of, rgb_picture
from mmssl.models.losses.positive_pairs import positive_pairs
from mmssl.models.selfsup.view_batch import stack_geometry
from mmssl.models.selfsup.warp_back import warp_back
from mmssl.visualization.pixel_pairs import draw_boxes, draw_pairs
from mmssl.visualization.pixel_similarity import cosine_map, draw_similarity, heat_entries
from mmssl.visualization.pretext_pictures import Panel
from mmssl.visualization.pretext_pictures.task_sheet import fit_picture

MAP_SIZE = 7  # ResNet-50 on views of 224 pixels
THRESHOLD = 0.7  # S1, equation 2.12
HEIGHT = 256
PARTS = ('student', 'teacher', 'propagation', 'loss_consistency')


class PixelPictures(PretextTask):
    """The image with both crops, the views with their positive pairs and, with a model, the similarity of a pixel.

    Options: ``map_size``, cells along a side (default: those of the model's maps, 7 without one); ``pixel``, row and
    column of the cell of view 1 whose similarity is drawn.
    """

    name = 'PixPro'
    columns = ('image: view 1 orange, view 2 blue', 'view 1 and view 2, positive pairs')
    predicted = ('cell of view 1, its similarity to view 2',)
    option_names = ('map_size', 'pixel')

    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw crops and pairs, and the similarity of a pixel, with the mean cosine of the positive pairs."""
        if model is None and self._pixel() is not None:
            raise ValueError('pixel found, a checkpoint expected with it: without one no similarity is drawn')
        maps = [None] * len(samples) if model is None else project_pixels(model, samples)
        rows, cosines, apart = [], [], 0
        for index, (sample, found) in enumerate(zip(samples, maps, strict=True)):
            boxes, affine = stack_geometry([sample['data_samples']])
            size = self._map_size(found)
            valid = [warp_back(torch.zeros(1, 1, *size), affine[:, view])[1] for view in range(2)]
            pairs = positive_pairs(boxes, size, self._threshold(model), valid)[0].numpy()
            first, second = (fit_picture(rgb_picture(view), HEIGHT, HEIGHT) for view in self._views(sample))
            geometry = affine[0].numpy()
            picture, caption = draw_pairs(first, second, pairs, size, geometry)
            image = draw_boxes(self._image(sample), boxes[0].numpy(), geometry, HEIGHT)
            flips = [view + 1 for view, (x1, _, x2, _) in enumerate(boxes[0].tolist()) if x1 > x2]
            flipped = f', flipped: {" and ".join(map(str, flips))}' if flips else ''
            row = [Panel(image, f'{index + 1}: {file_of(sample)}{flipped}'), Panel(picture, caption)]
            apart += not pairs.any()
            if found is not None:
                online, target = found
                known = valid[1][0].numpy()
                heat = draw_similarity(first, second, online, target, pairs, geometry, known, self._pixel())
                row.append(Panel(*heat))
                cosines += _pair_cosines(online, target, pairs)
            rows.append(row)
        drawing = Drawing(self.titles(model), rows)
        if model is not None:
            cosine = float(np.mean(cosines)) if cosines else float('nan')
            drawing.entries = heat_entries()
            drawing.scores = {'cosine': cosine, 'no_overlap': apart, 'samples': len(rows)}
            drawing.summary = f'mean cosine of {len(cosines)} positive pairs {cosine:.3f}'
            drawing.summary += f', {apart} of {len(rows)} images without any'
        return drawing

    def _map_size(self, found: tuple[np.ndarray, np.ndarray] | None) -> tuple[int, int]:
        """That of the option or of the model's maps."""
        asked = self.options.get('map_size')
        if found is None:
            return (asked or MAP_SIZE,) * 2
        size = found[0].shape[1:]
        if asked not in (None, *size):
            raise ValueError(f'map_size={asked} found, the model makes maps of {size[0]}x{size[1]} cells')
        return size

    def _threshold(self, model: Module | None) -> float:
        if model is not None:
            return model.loss_consistency.threshold
        return (self.model_settings.get('loss_consistency') or {}).get('threshold', THRESHOLD)

    def _pixel(self) -> tuple[int, int] | None:
        return self.options.get('pixel')

    def _views(self, sample: dict) -> list[Tensor]:
        inputs = sample['inputs']
        if not isinstance(inputs, (list, tuple)) or len(inputs) != 2:
            found = f'{len(inputs)} views' if isinstance(inputs, (list, tuple)) else 'one image'
            raise ValueError(f'{file_of(sample)}: {found} found, 2 expected')
        return list(inputs)

    def _image(self, sample: dict) -> np.ndarray:
        """The image that the views were cut from, (H, W, 3) uint8 RGB: the pipeline up to the transform, once more."""
        results = {'img_path': sample['data_samples'].get('img_path')}
        for step in self.before:
            results = step(results)
        return np.ascontiguousarray(results['img'][..., ::-1])


def _pair_cosines(online: np.ndarray, target: np.ndarray, pairs: np.ndarray) -> list[float]:
    """Cosines of y of view 1 to x' of view 2, of the positive pairs."""
    features = online.reshape(len(online), -1)
    cells = np.flatnonzero(pairs.any(axis=1))
    return [value for i in cells for value in cosine_map(features[:, i], target).ravel()[pairs[i]].tolist()]


@torch.no_grad()
def project_pixels(model: Module, samples: Sequence[dict]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Online map of view 1 and target map of view 2 of each sample, nothing erased, warped back where it was warped.

    Args:
        model: as ``mmssl.PixPro``, in evaluation mode: normalised by the statistics that it learnt.
        samples: as the dataset gives them.

    Returns:
        y and x' of each, (C, h, w) float32, in the frames before the warp.

    Raises:
        ValueError: a model without these parts.
    """
    missing = [part for part in PARTS if getattr(model, part, None) is None]
    if missing:
        raise ValueError(f'{type(model).__name__} has no {missing[0]}, mmssl.PixPro expected')
    maps = []
    for sample in tqdm(samples, desc='project', unit='image'):
        views = model.data_preprocessor(default_collate([sample]), False)['inputs']
        _, affine = stack_geometry([sample['data_samples']])
        pair = model.propagation(model.student(views[0])), model.project_target(views[1])
        moved = [warp_back(one, affine[:, view].to(one.device))[0] for view, one in enumerate(pair)]
        maps.append(tuple(one[0].float().cpu().numpy() for one in moved))
    return maps
