"""Find the pretext task of a config, draw samples of its dataset, and load a model that answers them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import set_random_seed
from mmpretrain.datasets.transforms import MultiView

from mmssl.apis.any_model import build_model, fill_model
from mmssl.apis.config import ConfigError
from mmssl.apis.data_folders import check_data_folders
from mmssl.apis.pretext_classification import JigsawPictures, RelativePatchPictures, RotationPictures
from mmssl.apis.pretext_dense import ColorizationPictures, OtsuPictures
from mmssl.apis.pretext_pixels import PixelPictures
from mmssl.apis.pretext_reconstruction import DenoisingPictures, InpaintingPictures
from mmssl.apis.pretext_task import PretextTask
from mmssl.apis.pretext_views import ViewPictures
from mmssl.apis.single_task import single_task_config, single_task_state
from mmssl.datasets.transforms.pixel_views import PixelViews
from mmssl.datasets.transforms.pretext import (
    ColorizationTarget,
    DenoisingTarget,
    InpaintingTarget,
    JigsawTarget,
    OtsuTarget,
    RelativePatchTarget,
    RotationTarget,
)
from mmssl.tensor_file import read_state_dict

TASKS: dict[type, type[PretextTask]] = {
    RotationTarget: RotationPictures,
    JigsawTarget: JigsawPictures,
    RelativePatchTarget: RelativePatchPictures,
    OtsuTarget: OtsuPictures,
    ColorizationTarget: ColorizationPictures,
    InpaintingTarget: InpaintingPictures,
    DenoisingTarget: DenoisingPictures,
    MultiView: ViewPictures,
    PixelViews: PixelPictures,
}


def pipeline_steps(part) -> Iterator:
    """All transforms of a dataset or of a transform, those inside wrappers included, outermost first."""
    if isinstance(part, (list, tuple)):
        for each in part:
            yield from pipeline_steps(each)
        return
    if hasattr(part, 'load_data_list') or hasattr(part, 'dataset') or hasattr(part, 'datasets'):
        inner = [getattr(part, 'pipeline', None), getattr(part, 'dataset', None), getattr(part, 'datasets', None)]
        yield from pipeline_steps([each for each in inner if each is not None])
        return
    if type(part).__name__ != 'Compose':
        yield part
    yield from pipeline_steps(list(getattr(part, 'transforms', None) or ()))


def find_task(dataset, source: str, model_settings: dict | None = None, **options) -> PretextTask:
    """The pretext task of a dataset, told by the one transform of its pipeline that makes a target or views.

    Args:
        dataset: as built, wrappers included.
        source: the config and what of it, for the message.
        model_settings: config of the model, None where there is none.
        **options: of the task.

    Returns:
        The task.

    Raises:
        ConfigError: no such transform, or several.
        ValueError: an option that the task does not have.
    """
    steps = list(pipeline_steps(dataset))
    found = [(step, task) for step in steps for kind, task in TASKS.items() if isinstance(step, kind)]
    # Datasets side by side have a pipeline each; the first one stands for all where they agree.
    if len({task for _, task in found}) != 1:
        names = ', '.join(dict.fromkeys(type(step).__name__ for step, _ in found or [(step, None) for step in steps]))
        kinds = ', '.join(kind.__name__ for kind in TASKS)
        raise ConfigError(f'{source}: no pretext task: {names or "no transform"} found, one of {kinds} expected')
    step, task = found[0]
    before = steps[: steps.index(step)]
    return task(step, dict(dataset.metainfo), before=before, model_settings=model_settings, **options)


def choose_task(cfg: Config, task: str | None, source: str) -> Config:
    """The config itself, or of one of joint training the recipe of the task that was asked for.

    Raises:
        ConfigError: joint training and no pretext task of it, or a task of another config.
    """
    tasks = list(cfg.get('model', {}).get('tasks', ()))
    if task is None and not tasks:
        return cfg
    if task not in tasks:
        expected = f'one of {tasks}' if tasks else 'none for this config'
        raise ConfigError(f'{source}: --task {task} found, {expected} expected')
    return single_task_config(cfg, task, source)


def choose_split(cfg: Config, split: str | None, source: str) -> str:
    """The split to draw: the one asked for, or ``val`` where the config has it and ``train`` otherwise.

    Raises:
        ConfigError: the config has none.
    """
    split = split or ('val' if cfg.get('val_dataloader') else 'train')
    if not (cfg.get(f'{split}_dataloader') or {}).get('dataset'):
        raise ConfigError(f'{source}: no {split}_dataloader.dataset, nothing to draw')
    return split


def build_pretext_dataset(cfg: Config, split: str):
    """Build the dataset of a split in the scope of the config, after a look at its folders."""
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    check_data_folders(cfg, (split,))
    return DATASETS.build(cfg[f'{split}_dataloader']['dataset'])


def draw_samples(dataset, number: int, seed: int) -> list[dict]:
    """Run the pipeline on images chosen at random.

    Args:
        dataset: as built.
        number: of samples, at most; the first ones of a larger number are the same.
        seed: of the choice and of what the pipeline draws.

    Returns:
        Samples, ``inputs`` and ``data_samples``, each of another image.
    """
    order = np.random.default_rng(seed).permutation(len(dataset))[:number]
    set_random_seed(seed)
    return [dataset[int(index)] for index in order]


def load_pretext_model(
    cfg: Config, source: str, checkpoint: str | Path, device: str, *, task: str | None = None
) -> torch.nn.Module:
    """Build the model of a config and fill it with a checkpoint.

    Args:
        cfg: a whole configuration.
        source: its name, for messages.
        checkpoint: file of tensors, of mmengine or a plain state dict.
        device: where the model goes.
        task: of a checkpoint of joint training: the task whose model ``cfg`` has.

    Returns:
        The model in evaluation mode.

    Raises:
        DataNotFoundError: no such file.
        DataError: damaged, or its names and shapes are not those of the model.
        ValueError: the model cannot be built.
    """
    state = read_state_dict(checkpoint, 'checkpoint')
    if task is not None:
        state = single_task_state(state, task)
    model = build_model(cfg, source, 'mmseg')
    fill_model(model, state, f'checkpoint {checkpoint}')
    return model.to(device).eval()
