"""Segmentation trained together with pretext tasks on one encoder (S4, sections 2.2 and 2.3)."""

from collections.abc import Sequence

from mmseg.models.segmentors.base import BaseSegmentor
from torch import Tensor, nn

from mmssl.errors import DataError
from mmssl.registry import MODELS

from ..data_preprocessors.multi_task import MultiTaskDataPreprocessor
from ..multi_task.shared_encoder import share_encoder
from ..multi_task.step import SEGMENTATION, MultiTaskStep
from ..multi_task.task_schedule import TaskSchedule

MODES = ('joint', 'sequential')
STATISTICS = ('task', 'joint')


@MODELS.register_module()
class MultiTaskSegmentor(BaseSegmentor):
    """A segmentor of mmseg whose encoder also learns any number of pretext tasks, all in one step.

    Source: S4, sections 2.2.4 and 2.3: one encoder, a segmentation head on the labelled images, a head for each
    pretext task on labelled and unlabelled ones, which are transformed for each task apart. Batches come from
    ``mmssl.MultiTaskSegDataset``; ``mmssl.MultiTaskHook`` tells the iteration. Predictions are the segmentor's; the
    pretext heads are training's alone.

    The images of tasks with one size pass the encoder together. Each task is normalised by its own images and only
    those of the segmentation move the running statistics (:func:`norms_by_task`), so that one pass gives what a pass
    for each task does, and predictions see the statistics of photographs.

    The log has, for each task, ``<task>.unweighted``, its loss, ``<task>.weighted``, what is added to the sum, and
    what else its model tells, without "loss" in the names: ``segmentation.unlabeled`` where several losses are summed
    and one is ``loss_unlabeled``. With ``probe_interval`` there are also ``<task>.grad_norm``, the norm of its weighted
    gradient on the encoder, and ``<task>.grad_cosine``, its cosine with the segmentation's: below 0 the task works
    against it.

    Args:
        segmentor: config of the segmentor, any of mmseg, with the encoder as its ``backbone``; or of
            ``mmssl.SemiSupervisedSegmentor``, whose student's encoder is shared and whose teacher has no pretext heads.
        tasks: of each pretext task by name: ``model``, the config of a model of mmseg or mmpretrain (``_scope_`` says
            whose names it uses) without a backbone; one with a ``decode_head`` and no ``data_preprocessor`` takes the
            segmentor's. And what :class:`TaskSchedule` takes: ``weight``, ``start``, ``begin``, ``end``, ``shape``.
            While a weight is 0 the task is left out; with several processes the config then needs
            ``find_unused_parameters=True``.
        balance: config of weights that are learned and multiplied with these: ``mmssl.UncertaintyBalance`` or
            ``mmssl.GradNormBalance``; None for none.
        mode: ``'joint'``, one graph and one backward pass; or ``'sequential'``, the graph of one task at a time, for
            images that would not fit: the gradients are the same.
        norm_statistics: ``'task'``, as above, or ``'joint'``: of all images that pass together, which move the
            running statistics too.
        max_images: images that pass the encoder at once; tasks beyond it pass later. None for no limit.
        checkpointing: whether the maps inside the encoder are made again in the backward pass instead of kept.
        probe_interval: iterations from one look at the tasks' gradients to the next; 0 for none. A look costs a
            backward pass through the encoder for each task, in sequential mode nothing.
        data_preprocessor: the segmentor's, where its config has none.
        init_cfg: mmengine's initialisation of the whole; weights to start from usually belong to ``segmentor``.

    Raises:
        ValueError: on an option that does not exist, options that exclude each other, no task, one without a model,
            with a backbone of its own or a target network, or of a name that is taken.
    """

    def __init__(
        self,
        *,
        segmentor: dict,
        tasks: dict[str, dict],
        balance: dict | None = None,
        mode: str = 'joint',
        norm_statistics: str = 'task',
        max_images: int | None = None,
        checkpointing: bool = False,
        probe_interval: int = 0,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ):
        for name, value, known in (('mode', mode, MODES), ('norm_statistics', norm_statistics, STATISTICS)):
            if value not in known:
                raise ValueError(f'MultiTaskSegmentor: {name}={value!r}, expected one of {known}')
        if mode == 'sequential' and norm_statistics == 'joint':
            raise ValueError('MultiTaskSegmentor: sequential tasks have no joint statistics, expected "task"')
        if probe_interval < 0 or (max_images is not None and max_images < 1):
            raise ValueError(
                f'MultiTaskSegmentor: probe_interval={probe_interval}, max_images={max_images}, '
                'expected 0 or more, and 1 or more'
            )
        segmentor = dict(segmentor)
        if data_preprocessor is not None:
            segmentor.setdefault('data_preprocessor', data_preprocessor)
        main = MODELS.build(segmentor)
        models, schedules = {}, {}
        for name, settings in tasks.items():
            models[name], schedules[name] = _build_task(name, settings, main.data_preprocessor)
        if not models:
            raise ValueError('MultiTaskSegmentor: no task found, expected at least one beside the segmentation')
        prepare = {SEGMENTATION: main.data_preprocessor, **{n: m.data_preprocessor for n, m in models.items()}}
        super().__init__(MultiTaskDataPreprocessor(prepare), init_cfg)
        self.segmentor = main
        self.tasks = nn.ModuleDict(models)
        self.schedules = schedules
        for name, model in models.items():
            share_encoder(name, model, self.encoder)
        self.balance = None if balance is None else MODELS.build(balance)
        if self.balance is not None:
            self.balance.begin((SEGMENTATION, *models))
        self.mode, self.norm_statistics = mode, norm_statistics
        self.max_images, self.checkpointing, self.probe_interval = max_images, checkpointing, probe_interval
        self.iteration: int | None = None

    @property
    def encoder(self) -> nn.Module:
        """The shared encoder: the segmentor's backbone, or that of its student."""
        return getattr(self.segmentor, 'student', self.segmentor).backbone

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.segmentor.num_classes

    def begin_iteration(self, iteration: int, seed: int) -> None:
        """Tell the iteration that follows.

        Args:
            iteration: of the training, from 0.
            seed: of the run, at least 0.
        """
        self.iteration = iteration
        if hasattr(self.segmentor, 'begin_iteration'):
            self.segmentor.begin_iteration(iteration, seed)

    def loss(self, inputs: dict, data_samples: dict) -> dict[str, Tensor]:
        """Losses of all tasks on one batch.

        Args:
            inputs: of each task by name, as its data preprocessor leaves it.
            data_samples: likewise.

        Returns:
            ``loss``, the weighted sum, and what is logged.

        Raises:
            DataError: the batch has no tasks, no iteration was told, or the loss of a task is not finite.
        """
        if self.iteration is None:
            raise DataError('MultiTaskSegmentor: no iteration was told: add mmssl.MultiTaskHook')
        if not isinstance(inputs, dict) or SEGMENTATION not in inputs:
            raise DataError('MultiTaskSegmentor: a batch without tasks, expected those of mmssl.MultiTaskSegDataset')
        step = MultiTaskStep(self, inputs, data_samples)
        return step.sequential() if self.mode == 'sequential' else step.joint()

    def model_of(self, task: str) -> nn.Module:
        """The model of a task, ``segmentation`` too."""
        return self.segmentor if task == SEGMENTATION else self.tasks[task]

    def predict(self, inputs: Tensor, data_samples: list | None = None) -> list:
        """As the segmentor's."""
        return self.segmentor.predict(inputs, data_samples)

    def encode_decode(self, inputs: Tensor, batch_img_metas: list[dict]) -> Tensor:
        """As the segmentor's: (B, K, H, W) scores."""
        return self.segmentor.encode_decode(inputs, batch_img_metas)

    def extract_feat(self, inputs: Tensor) -> Sequence[Tensor]:
        """As the segmentor's: the feature maps."""
        return self.segmentor.extract_feat(inputs)

    def _forward(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        return self.segmentor._forward(inputs, data_samples)


def _build_task(name: str, settings: dict, preprocessor: nn.Module) -> tuple[nn.Module, TaskSchedule]:
    """The model of a task, without its encoder, and its weight; the segmentation's data preprocessor may serve it."""
    settings = dict(settings)
    model = settings.pop('model', None)
    if not isinstance(model, dict) or not {'head', 'decode_head', 'neck'} & model.keys():
        raise ValueError(f'task {name!r}: model={model!r}, expected the config of a model with a head')
    if name == SEGMENTATION or '.' in name or not name:
        raise ValueError(f'task {name!r}: expected another name, not {SEGMENTATION!r} and without a dot')
    if 'backbone' in model:
        raise ValueError(f'task {name!r}: its model has a backbone of its own, expected none: the encoder is shared')
    try:
        schedule = TaskSchedule(**settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f'task {name!r}: {error}') from None
    if 'decode_head' in model and model.get('data_preprocessor') is None:
        # One encoder: images that are normalised otherwise would be another input to it.
        model = {**model, 'data_preprocessor': getattr(preprocessor, 'branch', preprocessor)}
    built = MODELS.build({**model, 'backbone': {'type': 'mmssl.SharedEncoder'}})
    return built, schedule
