"""What the pictures of all pretext tasks share: a task drawn from samples, with a model's answers or without."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.dataset import pseudo_collate
from torch import Tensor, no_grad
from torch.nn import Module
from tqdm import tqdm

from mmssl.visualization.pretext_pictures import Panel


@dataclass
class Drawing:
    """Samples of a task, drawn.

    Attributes:
        columns: titles of the panels of a row.
        rows: panels of each sample.
        summary: how right the model is, in words; empty without one.
        scores: what the summary says, by name, unrounded; empty without a model.
        entries: names and swatches of a legend.
    """

    columns: list[str]
    rows: list[list[Panel]]
    summary: str = ''
    scores: dict[str, float] = field(default_factory=dict)
    entries: list[tuple[str, np.ndarray]] = field(default_factory=list)


class PretextTask(ABC):
    """One pretext task as a row of pictures a sample.

    Args:
        transform: the transform of the pipeline that makes the target.
        metainfo: of the dataset.
        before: the transforms before it.
        model_settings: config of the model, None where there is none.
        **options: of this task alone, named in ``option_names``.

    Raises:
        ValueError: an option that the task does not have.
    """

    name: str
    columns: tuple[str, ...]
    """Titles without a model: input and target."""
    predicted: tuple[str, ...]
    """Titles of what a model adds."""
    option_names: tuple[str, ...] = ()

    def __init__(
        self, transform, metainfo: dict, *, before: Sequence = (), model_settings: dict | None = None, **options
    ) -> None:
        unknown = [name for name in options if name not in self.option_names]
        if unknown:
            names = ', '.join(self.option_names) or 'none'
            raise ValueError(f'{self.name}: option {unknown[0]} found, expected of its own: {names}')
        self.transform = transform
        self.metainfo = metainfo
        self.before = list(before)
        self.model_settings = model_settings or {}
        self.options = options

    @abstractmethod
    def draw(self, samples: Sequence[dict], model: Module | None) -> Drawing:
        """Draw samples.

        Args:
            samples: as the dataset gives them, ``inputs`` and ``data_samples``; at least one.
            model: in evaluation mode, on its device; None draws input and target alone.

        Returns:
            The drawing.

        Raises:
            ValueError: samples or answers of the model that are not those of the task.
        """

    def titles(self, model: Module | None) -> list[str]:
        """The titles of the columns."""
        return [*self.columns, *(self.predicted if model else ())]


@no_grad()
def answers(model: Module, samples: Sequence[dict]) -> list:
    """Let a model answer samples one by one, so that they may differ in size.

    Args:
        model: of mmpretrain or mmseg, in evaluation mode.
        samples: as the dataset gives them.

    Returns:
        The data sample of each, with predictions.
    """
    return [model.test_step(pseudo_collate([sample]))[0] for sample in tqdm(samples, desc='predict', unit='image')]


def file_of(sample: dict) -> str:
    """Name of the file a sample was made from, without folders."""
    path = sample['data_samples'].get('img_path')
    return Path(path).name if path else 'no file'


def rgb_picture(inputs: Tensor) -> np.ndarray:
    """An image as the pipeline packs it, before the model's preprocessor, as a picture.

    Args:
        inputs: (3, H, W) uint8 BGR.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: another shape or type.
    """
    if inputs.ndim != 3 or inputs.shape[0] != 3 or str(inputs.dtype) != 'torch.uint8':
        raise ValueError(f'inputs {tuple(inputs.shape)} {inputs.dtype} found, (3, H, W) uint8 in BGR expected')
    return np.ascontiguousarray(inputs.flip(0).permute(1, 2, 0).numpy())


def verdict(right: bool) -> str:
    """The word for an answer."""
    return 'correct' if right else 'wrong'
