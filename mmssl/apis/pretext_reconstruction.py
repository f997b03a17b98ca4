"""Pictures of the pretext tasks that give the image back: inpainting and denoising."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import Module

from mmssl.apis.pretext_dense import packed_target, pixel_answers
from mmssl.apis.pretext_task import Drawing, PretextTask, file_of, rgb_picture
from mmssl.evaluation.reconstruction_error import psnr, squared_error
from mmssl.visualization.pretext_pictures import Panel


def mean_psnr(sums: Sequence[float], values: Sequence[int]) -> float:
    """Peak signal-to-noise ratio over some images, dB, from their squared errors and how many values each has."""
    return psnr(float(np.sum(sums)) / float(np.sum(values)))


class ReconstructionPictures(PretextTask):
    """The changed image, the original and the predicted one."""

    region: str | None = None
    """The target that says which pixels the ratios are of; None for all."""

    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw input, original and prediction, with peak signal-to-noise ratios of input and prediction."""
        rows, targets, regions, given = [], [], [], []
        for index, sample in enumerate(samples):
            targets.append(packed_target(sample, 'gt_image', 'mmssl.PackPretextInputs'))
            regions.append(self.region and packed_target(sample, self.region, 'mmssl.PackPretextInputs'))
            given.append(squared_error(sample['inputs'], targets[-1], regions[-1]))
            image = Panel(rgb_picture(sample['inputs']), f'{index + 1}: {file_of(sample)}')
            caption = f'input: {mean_psnr(given[-1:], [self._values(targets[-1], regions[-1])]):.1f} dB'
            rows.append([image, Panel(rgb_picture(targets[-1]), caption)])
        drawing = Drawing(self.titles(model), rows)
        if model is None:
            return drawing
        sums, values = [], [self._values(*pair) for pair in zip(targets, regions, strict=True)]
        for index, result in enumerate(pixel_answers(model, samples)):
            predicted = result.seg_logits.data.float().cpu() if 'seg_logits' in result else None
            if predicted is None or predicted.shape != targets[index].shape:
                found = 'nothing' if predicted is None else f'a map of the shape {tuple(predicted.shape)}'
                shape = tuple(targets[index].shape)
                raise ValueError(f'the model predicts {found}, a picture of the shape {shape} expected')
            sums.append(squared_error(predicted, targets[index], regions[index]))
            picture = rgb_picture(predicted.round().clamp(0, 255).byte())
            rows[index].append(Panel(picture, f'prediction: {mean_psnr(sums[-1:], values[index : index + 1]):.1f} dB'))
            rows[index] += self.extra_panels(rows[index], regions[index])
        drawing.scores = {'PSNR': mean_psnr(sums, values), 'PSNR_input': mean_psnr(given, values)}
        where = 'in the squares' if self.region else 'of all pixels'
        drawing.summary = f'{drawing.scores["PSNR"]:.2f} dB {where}, the input {drawing.scores["PSNR_input"]:.2f} dB'
        return drawing

    def extra_panels(self, row: Sequence[Panel], region: Tensor | None) -> list[Panel]:
        """What a task shows besides.

        Args:
            row: panels of input, original and prediction.
            region: (1, H, W) bool, the pixels that count; None for all.
        """
        return []

    def _values(self, target: Tensor, region: Tensor | None) -> int:
        return target.numel() if region is None else 3 * int(region.sum())


class InpaintingPictures(ReconstructionPictures):
    """Adds the input with its square filled in; ratios are those of the square."""

    name = 'inpainting'
    columns = ('input: a square erased', 'original')
    predicted = ('prediction', 'square filled in')
    region = 'gt_erased'

    def extra_panels(self, row: Sequence[Panel], region: Tensor | None) -> list[Panel]:
        """The input outside the square and the prediction inside."""
        return [Panel(np.where(region[0].numpy()[..., None], row[2].picture, row[0].picture), '')]


class DenoisingPictures(ReconstructionPictures):
    """Ratios are those of all pixels."""

    name = 'denoising'
    columns = ('input: with noise', 'original')
    predicted = ('prediction',)
