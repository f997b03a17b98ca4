"""One inference and one training step of a segmentor, on images made up for the measurement."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmseg.models.segmentors.base import BaseSegmentor
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmssl.apis.any_model import build_model, fill_model
from mmssl.apis.config import load_config
from mmssl.apis.task_batches import multi_task_batch
from mmssl.errors import one_line
from mmssl.models.losses.weighted_cross_entropy import WeightedCrossEntropyLoss
from mmssl.models.segmentors.multi_task import MultiTaskSegmentor
from mmssl.models.segmentors.semi_supervised import SemiSupervisedSegmentor
from mmssl.tensor_file import read_state_dict
from mmssl.testing import paired_batch, segmentation_batch, synthetic_images


@dataclass(frozen=True)
class WorkloadSpec:
    """What to build and run; picklable, so that a fresh process can do the same.

    Attributes:
        config: path or ``package::path``.
        mode: ``inference`` or ``train``.
        shape: height and width of the images, in pixels.
        batch_size: images per step.
        device: ``cpu`` or ``cuda``.
        fold: whether batch normalisation is folded into the convolutions before inference.
        checkpoint: file whose weights are loaded, or None for random weights.
        options: dotted key to value, merged into the config.
        tasks: of a ``MultiTaskSegmentor``, the pretext tasks to keep; () for its segmentor alone, None for all.
        task_mode: ``joint`` or ``sequential``, in place of the config's; None for that.
    """

    config: str
    mode: str
    shape: tuple[int, int]
    batch_size: int
    device: str = 'cpu'
    fold: bool = True
    checkpoint: str | None = None
    options: dict = field(default_factory=dict)
    tasks: tuple[str, ...] | None = None
    task_mode: str | None = None


@dataclass
class Workload:
    """A built model and the step to measure.

    Attributes:
        step: runs one inference or one training step.
        model: the model that ``step`` runs, for inference the folded copy where folding was asked for.
        norms: batch normalisation layers of the built model.
        norms_left: those that remain in ``model``, fewer than ``norms`` where folding removed some.
    """

    step: Callable[[], object]
    model: nn.Module
    norms: int
    norms_left: int


def build_segmentor(config: Config, source: str, device: str = 'cpu') -> BaseSegmentor:
    """Builds the model as the Runner of a single process does: SyncBN becomes BN, no weights are downloaded.

    Args:
        config: a whole config with the key ``model``.
        source: name for error messages.
        device: where the parameters go.

    Returns:
        The segmentor with random weights.

    Raises:
        ValueError: no ``model`` in the config, it cannot be built, or it is not a segmentor of mmseg.
    """
    model = build_model(config, source, 'mmseg')
    if not isinstance(model, BaseSegmentor):
        raise ValueError(f'config {source}: {type(model).__name__} found, a segmentor of mmseg expected')
    return model.to(device)


def load_weights(model: nn.Module, path: str | Path) -> None:
    """Loads all weights of a checkpoint; nothing but tensors and plain values is unpickled.

    Args:
        model: receives the weights.
        path: a ``.pth`` file, a state dict or a dict with the key ``state_dict``.

    Raises:
        DataNotFoundError: no such file.
        DataError: not a checkpoint, or its keys or shapes are not those of the model.
    """
    fill_model(model, read_state_dict(path, '--checkpoint'), f'--checkpoint {path}')


def count_norms(model: nn.Module) -> int:
    """Counts the batch normalisation layers."""
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in model.modules())


def build_workload(spec: WorkloadSpec) -> Workload:
    """Builds the model of a config and the step to measure.

    Inference is the model's ``test_step``, which ``tools/test.py`` runs for every batch: uint8 images in host memory,
    data preprocessor (transfer and normalisation), network (whole image or sliding window, as the config says),
    logits at the images' size, class map. A training step is the model's ``train_step`` with the config's optimiser:
    preprocessing, forward, loss with some ignored pixels, backward, update. Loading images and hooks are outside.

    Args:
        spec: what to build.

    Returns:
        The step, ready to be called any number of times.

    Raises:
        FileNotFoundError: config or checkpoint missing.
        ValueError: the config does not fit (see :func:`build_segmentor`), or it has no ``optim_wrapper`` for
            training.
    """
    if spec.mode not in ('inference', 'train'):
        raise ValueError(f'mode: {spec.mode!r} found, "inference" or "train" expected')
    if min(spec.shape) < 1 or spec.batch_size < 1:
        raise ValueError(f'shape {spec.shape}, batch size {spec.batch_size} found, positive numbers expected')
    torch.manual_seed(0)
    config = _with_tasks(load_config(spec.config, spec.options), spec)
    model = build_segmentor(config, spec.config, spec.device)
    if spec.checkpoint:
        load_weights(model, spec.checkpoint)
    elif isinstance(model, SemiSupervisedSegmentor):
        model.predict_on = 'student'  # of random weights there is no teacher; it is such a network too
    if spec.mode == 'inference':
        return _inference(model, synthetic_images(spec.shape, spec.batch_size), spec)
    return _training(model, spec, config)


def _with_tasks(config: Config, spec: WorkloadSpec) -> Config:
    """The config with the tasks that were asked for."""
    if spec.tasks is None and spec.task_mode is None:
        return config
    tasks = config.get('model', {}).get('tasks', {})
    unknown = [name for name in spec.tasks or () if name not in tasks]
    if unknown or not tasks:
        raise ValueError(
            f'config {spec.config}: task {(unknown or ["?"])[0]!r} not among those of the model: {[*tasks]}'
        )
    model = dict(config.model)
    if spec.tasks is not None:
        model['tasks'] = {name: tasks[name] for name in spec.tasks}
    if spec.task_mode is not None:
        model['mode'] = spec.task_mode
    return Config({**config, 'model': model if model['tasks'] else model['segmentor']})


def _inference(model: BaseSegmentor, images: list[Tensor], spec: WorkloadSpec) -> Workload:
    model = model.eval()
    norms = count_norms(model)
    if spec.fold:
        from mmssl.models.layers.fold_norm import fold_norm

        model = fold_norm(model)
    meta = {'ori_shape': spec.shape, 'img_shape': spec.shape, 'pad_shape': spec.shape}

    @torch.no_grad()
    def step():
        return model.test_step({'inputs': images, 'data_samples': [SegDataSample(metainfo=meta) for _ in images]})

    return Workload(step, model, norms, count_norms(model))


def _training(model: BaseSegmentor, spec: WorkloadSpec, config: Config) -> Workload:
    batch, optim_wrapper = prepare_training(model, spec, config)

    def step():
        return model.train_step(batch, optim_wrapper)

    norms = count_norms(model)
    return Workload(step, model, norms, norms)


def prepare_training(model: BaseSegmentor, spec: WorkloadSpec, config: Config) -> tuple[dict, OptimWrapper]:
    """Puts a model into training mode, with an optimiser and a batch to train on.

    Args:
        model: of ``config``; a ``SemiSupervisedSegmentor`` gets paired batches and starts after its burn-in, a
            ``MultiTaskSegmentor`` batches of all its tasks, with their last weights.
        spec: what was asked for.
        config: the whole config.

    Returns:
        A batch as a dataloader gives it, in host memory, and the optimiser. Steps leave the batch as it is: mmengine's
        preprocessors write to objects of their own, so that it needs no copy, which would count as part of a step.

    Raises:
        ValueError: the config has no ``optim_wrapper``, or one that cannot be built.
    """
    if config.get('optim_wrapper') is None:
        raise ValueError(f'config {spec.config}: no key "optim_wrapper", a training step cannot be measured')
    settings = config.optim_wrapper.copy()
    if 'constructor' not in settings:
        settings.setdefault('type', 'OptimWrapper')
    try:
        optim_wrapper = build_optim_wrapper(model, settings)
    except (KeyError, TypeError, ValueError, AssertionError) as error:
        raise ValueError(f'config {spec.config}: optim_wrapper: {one_line(error)}') from None
    num_classes = _num_classes(model, spec.config)
    for loss in model.modules():
        # A hook computes these from the training masks; their values do not change the time.
        if isinstance(loss, WeightedCrossEntropyLoss) and loss.scheme and loss.class_weight is None:
            loss.set_class_weight(torch.ones(num_classes))
    model.train()
    if not isinstance(model, MultiTaskSegmentor):
        return _segmentation(model, num_classes, spec), optim_wrapper
    segmentation = _segmentation(model.segmentor, num_classes, spec)
    # Without the gradients that are looked at in some of the steps only, and without tasks that begin later.
    model.probe_interval = 0
    model.begin_iteration(max(schedule.end or 0 for schedule in model.schedules.values()), 0)
    batch = multi_task_batch(config, model, segmentation, spec.batch_size, spec.shape, spec.config)
    return batch, optim_wrapper


def _segmentation(model: BaseSegmentor, num_classes: int, spec: WorkloadSpec) -> dict:
    """A batch for a segmentor, which is told what a training tells it."""
    # A preprocessor pads training crops to the size of the recipe; here the crop is the shape that was asked for.
    preprocessor = getattr(model.data_preprocessor, 'branch', model.data_preprocessor)
    if getattr(preprocessor, 'size', None) is not None:
        preprocessor.size = spec.shape
    make = segmentation_batch
    if isinstance(model, SemiSupervisedSegmentor):
        make = paired_batch
        model.teacher.synchronize(model.student)
        model.begin_iteration(model.burn_in, 0)
        alignment = model.strong_view.alignment
        if alignment is not None and alignment.of_labeled:
            alignment.set_target([1.0] * num_classes)  # a hook counts them
    return make(num_classes, batch_size=spec.batch_size, size=spec.shape)


def _num_classes(model: nn.Module, source: str) -> int:
    heads = (model, getattr(model, 'decode_head', None))
    for head in heads:
        if isinstance(getattr(head, 'num_classes', None), int):
            return head.num_classes
    raise ValueError(f'config {source}: {type(model).__name__} has no num_classes, labels cannot be drawn')
