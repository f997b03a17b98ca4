"""Batches of several tasks, each prepared by its own model's data preprocessor."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import nn

from mmssl.errors import DataError
from mmssl.registry import MODELS


@MODELS.register_module()
class MultiTaskDataPreprocessor(BaseDataPreprocessor):
    """Hand each task's part of a batch to its data preprocessor; a plain batch (validation) to the segmentation's.

    Args:
        preprocessors: of each task by name, ``segmentation`` among them: modules, as their models have them.

    Raises:
        ValueError: a task whose images have another order of channels or are normalised otherwise than those of the
            segmentation; patches that are each normalised by themselves may.
    """

    def __init__(self, preprocessors: dict[str, nn.Module]) -> None:
        super().__init__()
        self.tasks = nn.ModuleDict(preprocessors)
        expected = _input_of(preprocessors['segmentation'])
        for name, preprocessor in preprocessors.items():
            found = _input_of(preprocessor)
            if getattr(preprocessor, 'normalize', None) == 'patch':
                found |= {key: expected[key] for key in ('mean', 'std')}
            for key, value in found.items():
                if value != expected[key]:
                    raise ValueError(
                        f'task {name!r}: its data preprocessor has {key}={value}, that of the segmentation '
                        f'{expected[key]}; expected the same, for one encoder reads both'
                    )

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs`` and ``data_samples``: of a plain batch, or each a dict by task.
            training: whether the batch is for training.

        Returns:
            The same form, with normalised images on the device of the model.

        Raises:
            DataError: the tasks of the batch are not those of the model, or a task's images have another number of
                channels than the labelled ones.
        """
        if not isinstance(data['inputs'], dict) or 'segmentation' not in data['inputs']:
            return self.tasks['segmentation'](data, training)
        if set(data['inputs']) != set(self.tasks):
            raise DataError(
                f'a batch has the tasks {sorted(data["inputs"])}, the model {sorted(self.tasks)}; expected the same '
                'names in mmssl.MultiTaskSegDataset and mmssl.MultiTaskSegmentor'
            )
        prepared = {'inputs': {}, 'data_samples': {}}
        for name, preprocessor in self.tasks.items():
            part = {'inputs': _stack_views(data['inputs'][name], name), 'data_samples': data['data_samples'][name]}
            part = preprocessor(part, training)
            for key, parts in prepared.items():
                parts[name] = part[key]
        channels = {name: _channels(inputs) for name, inputs in prepared['inputs'].items()}
        for name, number in channels.items():
            if number != channels['segmentation']:
                raise DataError(
                    f'task {name!r}: images of {number} channels, those of the segmentation have '
                    f'{channels["segmentation"]}; expected the same, for one encoder reads both'
                )
        return prepared


def _input_of(preprocessor: nn.Module) -> dict:
    """How a data preprocessor leaves images; the hosts name the change of channels differently."""
    preprocessor = getattr(preprocessor, 'branch', preprocessor)  # that of labelled and unlabelled images
    swaps = [getattr(preprocessor, name, False) for name in ('channel_conversion', '_channel_conversion', 'to_rgb')]
    numbers = {name: getattr(preprocessor, name, None) for name in ('mean', 'std')}
    # mmseg keeps mean and std in a buffer of (3, 1, 1).
    numbers = {name: None if each is None else each.flatten().tolist() for name, each in numbers.items()}
    return {'channel conversion': any(swaps), **numbers}


def _channels(inputs) -> int:
    """Channels of images (B, C, H, W), also of the first of several views or branches."""
    while not isinstance(inputs, torch.Tensor):
        inputs = next(iter(inputs.values() if isinstance(inputs, dict) else inputs))
    return inputs.shape[-3]


def _stack_views(inputs, task: str):
    """Views of the images, a list of the images of each, as the tensors that mmpretrain's preprocessor reads.

    Alone their loader stacks them by ``default_collate``, which labelled images of several sizes do not allow.
    """
    views = isinstance(inputs, (list, tuple)) and inputs and all(isinstance(view, (list, tuple)) for view in inputs)
    if not views:
        return inputs
    for number, view in enumerate(inputs):
        sizes = sorted({tuple(image.shape) for image in view})
        if len(sizes) > 1:
            raise DataError(f'task {task!r}: view {number} has images of the shapes {sizes}, expected one shape')
    return [torch.stack(list(view)) for view in inputs]
