"""Pictures of the pretext tasks that classify: rotation, jigsaw, relative patch."""

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import Module

from mmssl.apis.pretext_task import Drawing, PretextTask, answers, file_of, rgb_picture, verdict
from mmssl.datasets.transforms.pretext.relative_patch import NEIGHBOURS
from mmssl.datasets.transforms.pretext.rotation import TURNS, rotate
from mmssl.visualization.pretext_pictures import Panel, centre_and_neighbour, patch_pair, patch_puzzle, solve_puzzle
from mmssl.visualization.pretext_pictures.task_sheet import RIGHT, WRONG

PLACES = ('upper left', 'above', 'upper right', 'left', 'right', 'lower left', 'below', 'lower right')


class ClassificationTask(PretextTask):
    """A task whose target is a class: every class is a way to undo what was done to the image."""

    @property
    def num_classes(self) -> int:
        """Number of classes of the target."""
        raise NotImplementedError

    def question(self, inputs: Tensor) -> np.ndarray:
        """What the network sees, (H, W, 3) uint8 RGB."""
        raise NotImplementedError

    def answer(self, inputs: Tensor, label: int, truth: int) -> np.ndarray:
        """The picture that a class makes of the input, (H, W, 3) uint8 RGB; ``truth`` is the right class."""
        raise NotImplementedError

    def describe(self, label: int) -> str:
        """A class in words."""
        raise NotImplementedError

    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw question, right answer and, with a model, its answer with its probability."""
        rows, truths = [], []
        for index, sample in enumerate(samples):
            inputs, truth = sample['inputs'], self._truth(sample)
            truths.append(truth)
            question = Panel(self.question(inputs), f'{index + 1}: {file_of(sample)}')
            rows.append([question, Panel(self.answer(inputs, truth, truth), self.describe(truth))])
        drawing = Drawing(self.titles(model), rows)
        if model is None:
            return drawing
        correct = 0
        for row, sample, truth, result in zip(rows, samples, truths, answers(model, samples), strict=True):
            label, probability = self._predicted(result, model)
            correct += label == truth
            caption = f'{self.describe(label)}, p {probability:.2f}, {verdict(label == truth)}'
            row.append(Panel(self.answer(sample['inputs'], label, truth), caption, right=label == truth))
        drawing.summary = f'{correct} of {len(rows)} correct, {len(rows) / self.num_classes:.2g} by chance'
        drawing.scores = {'correct': correct, 'samples': len(rows)}
        return drawing

    def _truth(self, sample: dict) -> int:
        if 'gt_label' not in sample['data_samples']:
            raise ValueError(f'{file_of(sample)}: no gt_label packed, mmpretrain.PackInputs expected in the pipeline')
        return int(sample['data_samples'].gt_label)

    def _predicted(self, result, model: Module) -> tuple[int, float]:
        if 'pred_score' not in result:
            raise ValueError(f'{type(model).__name__} predicts no class, a classifier expected for {self.name}')
        if len(result.pred_score) != self.num_classes:
            raise ValueError(
                f'the model predicts {len(result.pred_score)} classes, {self.num_classes} expected for {self.name}'
            )
        label = int(result.pred_score.argmax())
        return label, float(result.pred_score[label])


class RotationPictures(ClassificationTask):
    """The rotated image, and what is upright by the label and by the prediction."""

    name = 'rotation'
    columns = ('input', 'upright by the label')
    predicted = ('upright by the prediction',)
    num_classes = TURNS

    def question(self, inputs: Tensor) -> np.ndarray:
        """The rotated image."""
        return rgb_picture(inputs)

    def answer(self, inputs: Tensor, label: int, truth: int) -> np.ndarray:
        """The image, rotated back."""
        return rotate(rgb_picture(inputs), -label % TURNS)

    def describe(self, label: int) -> str:
        """The angle, counter-clockwise."""
        return f'{360 // TURNS * label} deg'


class JigsawPictures(ClassificationTask):
    """The shuffled puzzle, and how the true and the predicted permutation solve it."""

    name = 'jigsaw'
    columns = ('input', 'solved')
    predicted = ('as the prediction solves it',)

    @property
    def num_classes(self) -> int:
        """Number of permutations of the file."""
        return len(self.transform.permutations)

    def question(self, inputs: Tensor) -> np.ndarray:
        """The patches in the order that the network gets them."""
        return patch_puzzle(rgb_patches(inputs, 9))

    def answer(self, inputs: Tensor, label: int, truth: int) -> np.ndarray:
        """The patches where a permutation says they were, framed in red where that is wrong."""
        permutations = self.transform.permutations
        misplaced = permutations[label][permutations[label] != permutations[truth]]
        return patch_puzzle(solve_puzzle(rgb_patches(inputs, 9), permutations[label]), dict.fromkeys(misplaced, WRONG))

    def describe(self, label: int) -> str:
        """The number of the permutation in its file, from 0."""
        return f'permutation {label}'


class RelativePatchPictures(ClassificationTask):
    """Two patches, and the second at its true and at its predicted place beside the first."""

    name = 'relative patch'
    columns = ('input: centre and neighbour', 'where it was')
    predicted = ('where the prediction puts it',)
    num_classes = len(NEIGHBOURS)

    def question(self, inputs: Tensor) -> np.ndarray:
        """The two patches."""
        return patch_pair(*rgb_patches(inputs, 2))

    def answer(self, inputs: Tensor, label: int, truth: int) -> np.ndarray:
        """The neighbour at a place around the centre."""
        outline = RIGHT if label == truth else WRONG
        return centre_and_neighbour(*rgb_patches(inputs, 2), NEIGHBOURS[label], outline)

    def describe(self, label: int) -> str:
        """The place."""
        return PLACES[label]


def rgb_patches(inputs: Tensor, count: int) -> np.ndarray:
    """Patches as the pipeline packs them, as pictures.

    Args:
        inputs: (P, 3, h, w) uint8 BGR.
        count: P that the task has.

    Returns:
        (P, h, w, 3) uint8 RGB.

    Raises:
        ValueError: another number of patches, shape or type.
    """
    if inputs.ndim != 4 or len(inputs) != count:
        raise ValueError(f'inputs of the shape {tuple(inputs.shape)} found, {count} patches (P, 3, h, w) expected')
    return np.stack([rgb_picture(patch) for patch in inputs])
