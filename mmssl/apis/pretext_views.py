"""Pictures of the pretext task with two views of an image (SimCLR)."""

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dataset import default_collate
from torch.nn import Module
from tqdm import tqdm

from mmssl.apis.pretext_task import Drawing, PretextTask, file_of, rgb_picture, verdict
from mmssl.visualization.pretext_pictures import Panel, nearest_views

VIEWS = 2


class ViewPictures(PretextTask):
    """The two views, and for each the nearest other view among those of all images drawn."""

    name = 'SimCLR'
    columns = ('view 1', 'view 2')
    predicted = ('nearest to view 1', 'nearest to view 2')

    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw views, and nearest views by the cosine similarity of the projections."""
        views = [self._views(sample) for sample in samples]
        names = [f'{index + 1}: {file_of(sample)}' for index, sample in enumerate(samples)]
        if model is None:
            rows = [[Panel(one, name), Panel(two, '')] for (one, two), name in zip(views, names, strict=True)]
            return Drawing(self.titles(model), rows)
        if len(samples) < 2:
            raise ValueError('1 sample to draw found, at least 2 expected: the nearest view is one among several')
        nearest, similarities, own = nearest_views(*project(model, samples))
        count, rows, correct = len(samples), [], 0
        for index, (pair, name) in enumerate(zip(views, names, strict=True)):
            row = [Panel(pair[0], name), Panel(pair[1], f'cosine to view 1: {own[index]:.3f}')]
            for view in range(VIEWS):
                other, found = divmod(int(nearest[index, view]), count)
                right = (found, other) == (index, 1 - view)
                correct += right
                caption = f'{found + 1}, view {other + 1}: {similarities[index, view]:.3f}, {verdict(right)}'
                row.append(Panel(views[found][other], caption, right))
            rows.append(row)
        chance = VIEWS * count / (VIEWS * count - 1)
        summary = f'{correct} of {VIEWS * count} nearest views correct, {chance:.2g} by chance'
        summary += f'; mean cosine of two views {own.mean():.3f}'
        scores = {'correct': correct, 'samples': VIEWS * count, 'own_cosine': float(own.mean())}
        return Drawing(self.titles(model), rows, summary, scores)

    def _views(self, sample: dict) -> list[np.ndarray]:
        inputs = sample['inputs']
        if not isinstance(inputs, (list, tuple)) or len(inputs) != VIEWS:
            found = f'{len(inputs)} views' if isinstance(inputs, (list, tuple)) else 'one image'
            raise ValueError(f'{file_of(sample)}: {found} found, {VIEWS} expected')
        return [rgb_picture(view) for view in inputs]


@torch.no_grad()
def project(model: Module, samples: Sequence[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Projections of both views of each sample, image by image.

    Args:
        model: with ``data_preprocessor``, ``backbone`` and ``neck``, as mmssl's and mmpretrain's SimCLR, in evaluation
            mode: normalised by the statistics that it learnt, not by those of these samples.
        samples: as the dataset gives them.

    Returns:
        Two (N, D) float32.

    Raises:
        ValueError: a model without these parts.
    """
    missing = [part for part in ('backbone', 'neck') if getattr(model, part, None) is None]
    if missing:
        raise ValueError(f'{type(model).__name__} has no {missing[0]}, a model such as mmssl.NTXentSimCLR expected')
    projections = []
    for sample in tqdm(samples, desc='project', unit='image'):
        views = model.data_preprocessor(default_collate([sample]), False)['inputs']
        pair = [model.neck(model.backbone(view))[-1] for view in views]
        projections.append(torch.cat(pair).float().cpu().numpy())
    first, second = np.stack(projections).swapaxes(0, 1)
    return first, second
