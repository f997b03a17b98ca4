"""One task of a joint recipe as a recipe of its own."""

from collections.abc import Mapping

from mmengine.config import Config
from torch import Tensor

from mmssl.apis.config import ConfigError
from mmssl.datasets.multi_task import SEGMENTATION

ENCODERS = ('segmentor.student.backbone.', 'segmentor.backbone.')
"""Where a ``MultiTaskSegmentor`` has its encoder: in a semi-supervised segmentor, or in a plain one."""
SAMPLERS = {'mmssl.PairedDataset': 'mmssl.PairedInfiniteSampler'}
"""Of datasets that need one of their own; their options are those of a joint recipe's."""


def single_task_config(cfg: Config, task: str, source: str) -> Config:
    """The recipe of one task of a joint recipe, with the joint recipe's encoder, data and pipeline.

    Args:
        cfg: a whole configuration, whose model is a ``MultiTaskSegmentor``.
        task: name of a pretext task, or ``segmentation``.
        source: name of the config, for the message.

    Returns:
        A configuration of the segmentor, or of the task's model and images, which has nothing to validate on.

    Raises:
        ConfigError: no such task.
    """
    tasks, segmentor = cfg.model.get('tasks', {}), cfg.model.get('segmentor', {})
    if task not in (SEGMENTATION, *tasks) or not tasks:
        raise ConfigError(f'{source}: task {task!r} found, expected one of {[SEGMENTATION, *tasks]}')
    loader = cfg.train_dataloader
    if task == SEGMENTATION:
        dataset = loader.dataset[task]
        sampler = {**loader.sampler, 'type': SAMPLERS.get(dataset.type, 'mmssl.InfiniteSampler')}
        return Config(
            {**cfg, 'model': segmentor, 'train_dataloader': {**loader, 'sampler': sampler, 'dataset': dataset}}
        )
    student = segmentor.get('segmentor', segmentor)
    model = {**tasks[task].model, 'backbone': student.backbone}
    model.setdefault('data_preprocessor', student.data_preprocessor)
    return Config(
        {
            **cfg,
            'model': model,
            'train_dataloader': {
                **loader,
                'sampler': {**loader.sampler, 'type': 'mmssl.InfiniteSampler'},
                'dataset': loader.dataset.tasks[task],
            },
            **{f'{split}_{part}': None for split in ('val', 'test') for part in ('dataloader', 'evaluator', 'cfg')},
        }
    )


def single_task_state(state: Mapping[str, Tensor], task: str) -> dict[str, Tensor]:
    """The weights of one pretext task, with the names of its own recipe.

    Args:
        state: tensors of a ``MultiTaskSegmentor``.
        task: name of a pretext task.

    Returns:
        Those of the encoder and of the task's head; empty where the state is another model's.
    """
    own = {
        name.removeprefix(f'tasks.{task}.'): each for name, each in state.items() if name.startswith(f'tasks.{task}.')
    }
    for encoder in ENCODERS:
        shared = {name: each for name, each in state.items() if name.startswith(encoder)}
        if shared:
            return {**{f'backbone.{name.removeprefix(encoder)}': each for name, each in shared.items()}, **own}
    return {}
