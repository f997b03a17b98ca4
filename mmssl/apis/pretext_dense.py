"""Pictures of the pretext tasks with a class or colour for every pixel: Otsu clusters and colorization."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import Module

from mmssl.apis.pretext_task import Drawing, PretextTask, answers, file_of, rgb_picture
from mmssl.datasets.label_checks import IGNORED
from mmssl.evaluation.colorization_error import squared_sums
from mmssl.models.decode_heads.color_bins import bin_table, in_gamut_bins, nearest_bin
from mmssl.visualization.contact_sheet import LINE
from mmssl.visualization.pretext_pictures import Panel, cluster_levels, cluster_picture, lab_to_rgb


def pixel_answers(model: Module, samples: Sequence[dict]) -> list:
    """Predictions at the size and in the orientation of the inputs.

    mmseg flips predictions back and resizes them to the file's size where a flip or crop follows the target.
    """
    for sample in samples:
        size = tuple(sample['inputs'].shape[-2:])
        same = {'img_shape': size, 'ori_shape': size, 'pad_shape': size, 'flip': False, 'flip_direction': None}
        sample['data_samples'].set_metainfo(same)
    return answers(model, samples)


def packed_target(sample: dict, key: str, remedy: str):
    """The data of a target, or a ValueError that says what should have packed it."""
    if key not in sample['data_samples']:
        raise ValueError(f'{file_of(sample)}: no {key} packed, {remedy} expected in the pipeline')
    return sample['data_samples'].get(key).data


class OtsuPictures(PretextTask):
    """The image, its clusters and the predicted ones, as grey levels."""

    name = 'Otsu clusters'
    columns = ('input', 'clusters')
    predicted = ('predicted clusters',)

    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw image, clusters and predicted clusters, with the share of equal pixels."""
        count = self.transform.classes
        rows, truths = [], []
        for index, sample in enumerate(samples):
            truths.append(packed_target(sample, 'gt_sem_seg', 'mmseg.PackSegInputs').squeeze(0).numpy())
            found = len(np.setdiff1d(truths[-1], IGNORED))
            image = Panel(rgb_picture(sample['inputs']), f'{index + 1}: {file_of(sample)}')
            rows.append([image, Panel(cluster_picture(truths[-1], count), f'{found} clusters')])
        drawing = Drawing(self.titles(model), rows, entries=self._legend(count))
        if model is None:
            return drawing
        shares = []
        for row, truth, result in zip(rows, truths, pixel_answers(model, samples), strict=True):
            if 'pred_sem_seg' not in result:
                raise ValueError(f'{type(model).__name__} predicts no pred_sem_seg, a segmentor expected')
            prediction = result.pred_sem_seg.data.squeeze(0).cpu().numpy()
            if prediction.max() >= count:
                raise ValueError(f'the model predicts cluster {prediction.max()}, 0 to {count - 1} expected')
            shares.append(float((prediction == truth)[truth != IGNORED].mean()))
            row.append(Panel(cluster_picture(prediction, count), f'{100 * shares[-1]:.1f} % of the pixels correct'))
        drawing.scores = {'pixels_correct': float(np.mean(shares))}
        drawing.summary = f'{100 * np.mean(shares):.1f} % of the pixels correct, mean of the images'
        return drawing

    def _legend(self, count: int) -> list[tuple[str, np.ndarray]]:
        names = list(self.metainfo.get('classes') or ())
        if len(names) != count:
            names = [f'cluster {index}' for index in range(count)]
        swatches = [np.full((LINE, LINE, 3), level, dtype=np.uint8) for level in cluster_levels(count)]
        return list(zip(names, swatches, strict=True))


class ColorizationPictures(PretextTask):
    """Lightness, the true colours and the predicted ones; for a model with bins of colours, their centres too."""

    name = 'colorization'
    columns = ('input: lightness', 'true colours')
    predicted = ('predicted colours',)

    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw lightness, true and predicted colours, with the root mean squared error of a and b."""
        rows, targets, centres = [], [], self._centres()
        for index, sample in enumerate(samples):
            targets.append(packed_target(sample, 'gt_ab', 'mmssl.PackPretextInputs'))
            image = rgb_picture(sample['inputs'])
            grey = float(targets[-1].float().square().mean().sqrt())
            colours = Panel(lab_to_rgb(image[..., 0], targets[-1].numpy()), f'a, b: {grey:.1f} Lab units RMS')
            rows.append([Panel(image, f'{index + 1}: {file_of(sample)}'), colours])
            if centres is not None:
                rows[-1].append(self._binned(image[..., 0], targets[-1], centres))
        drawing = Drawing(self.titles(model), rows)
        if centres is not None:
            drawing.columns.insert(len(self.columns), f'true colours in {len(centres)} bins')
        if model is None:
            return drawing
        sums = []
        for row, target, result in zip(rows, targets, pixel_answers(model, samples), strict=True):
            predicted = result.seg_logits.data.float().cpu() if 'seg_logits' in result else None
            if predicted is None or predicted.shape != target.shape:
                found = 'nothing' if predicted is None else f'a map of the shape {tuple(predicted.shape)}'
                raise ValueError(f'the model predicts {found}, a and b of the shape {tuple(target.shape)} expected')
            sums.append(squared_sums(predicted, target))
            picture = lab_to_rgb(row[0].picture[..., 0], predicted.numpy())
            row.append(Panel(picture, f'error: {rmse(sums[-1:])[0]:.1f} Lab units RMS'))
        error, grey = rmse(sums)
        drawing.scores = {'RMSE_ab': error, 'RMSE_ab_grey': grey}
        drawing.summary = f'error of a and b {error:.2f} Lab units RMS, without colour {grey:.2f}'
        return drawing

    def _centres(self) -> Tensor | None:
        head = self.model_settings.get('decode_head') or {}
        if str(head.get('type')).removeprefix('mmssl.') != 'QuantizedColorizationHead':
            return None
        return in_gamut_bins(float(head.get('bin_side', 10.0)))

    def _binned(self, lightness: np.ndarray, target: Tensor, centres: Tensor) -> Panel:
        bins = nearest_bin(target[None], bin_table(centres))[0]
        nearest = centres[bins].permute(2, 0, 1)
        caption = f'{len(bins.unique())} bins, off by {rmse([squared_sums(nearest, target)])[0]:.1f} Lab units RMS'
        return Panel(lab_to_rgb(lightness, nearest.numpy()), caption)


def rmse(sums: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Root mean squared errors of a and b over all pixels of some images.

    Args:
        sums: of :func:`mmssl.evaluation.colorization_error.squared_sums`, one an image.

    Returns:
        Of the prediction, and of one without colour, Lab units.
    """
    pixels, a, b, grey_a, grey_b = np.sum(sums, axis=0)
    return float(np.sqrt((a + b) / (2 * pixels))), float(np.sqrt((grey_a + grey_b) / (2 * pixels)))
