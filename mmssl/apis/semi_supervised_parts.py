"""A semi-supervised training step beside the sum of its parts."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mmssl.apis.config import load_config
from mmssl.apis.segmentor_workload import WorkloadSpec, build_segmentor, load_weights, prepare_training
from mmssl.models.losses.consistency import IGNORE_INDEX
from mmssl.models.segmentors.semi_supervised import SemiSupervisedSegmentor

PARTS = ('teacher on unlabelled', 'student on labelled', 'student on mixed')
"""What a step costs at least: a forward pass, and twice a forward and a backward pass."""


@dataclass
class SemiSupervisedParts:
    """What to measure in turns.

    Attributes:
        step: a whole training step: data preprocessor, losses, backward, optimiser, teacher.
        parts: name to callable, those of ``PARTS``.
        mixing: mask, mixing, weighting and augmentation of the batch.
        graph_of_teacher: whether a prediction of the teacher carries a graph; it must not.
    """

    step: Callable[[], object]
    parts: dict[str, Callable[[], object]]
    mixing: Callable[[], object]
    graph_of_teacher: bool


def build_parts(spec: WorkloadSpec) -> SemiSupervisedParts:
    """Builds the model of a semi-supervised config, and its step and parts as callables.

    Args:
        spec: what to build; its mode is not looked at.

    Returns:
        The callables, each to be called any number of times.

    Raises:
        ValueError: the config's model is another one.
    """
    torch.manual_seed(0)
    config = load_config(spec.config, spec.options)
    model = build_segmentor(config, spec.config, spec.device)
    if not isinstance(model, SemiSupervisedSegmentor):
        raise ValueError(f'config {spec.config}: {type(model).__name__} found, a SemiSupervisedSegmentor expected')
    if spec.checkpoint:
        load_weights(model, spec.checkpoint)
    batch, optim_wrapper = prepare_training(model, spec, config)
    data = model.data_preprocessor(batch, True)
    inputs, samples = data['inputs'], data['data_samples']
    probabilities = model.teach(inputs['unlabeled'])
    mixed = model.mix_batch(inputs, samples, probabilities)

    # Every call draws anew, as in training: a draw may leave an augmentation out.
    steps, mixings = itertools.count(model.burn_in), itertools.count(model.burn_in)

    def step() -> None:
        model.begin_iteration(next(steps), 0)
        model.train_step(batch, optim_wrapper)
        model.teacher.update(model.student)

    def on_unlabeled() -> None:
        with optim_wrapper.optim_context(model):  # mixed precision, where the config asks for it
            model.teach(inputs['unlabeled'])

    def on_labeled() -> None:
        with optim_wrapper.optim_context(model):
            losses = model.student.loss(inputs['labeled'], samples['labeled'])
        _backward(model.parse_losses(losses)[0], model)

    def on_mixed() -> None:
        with optim_wrapper.optim_context(model):
            scores = model.student_scores(mixed.images)
            loss = model.loss_unlabeled(scores, mixed.target, mixed.weight, mixed.labels != IGNORE_INDEX)
        _backward(loss, model)

    def mixing() -> None:
        model.begin_iteration(next(mixings), 0)
        model.mix_batch(inputs, samples, probabilities)

    parts = (on_unlabeled, on_labeled, on_mixed)
    return SemiSupervisedParts(
        step=step,
        parts=dict(zip(PARTS, parts, strict=True)),
        mixing=mixing,
        graph_of_teacher=probabilities.requires_grad,
    )


def _backward(loss: Tensor, model: torch.nn.Module) -> None:
    loss.backward()
    model.zero_grad(set_to_none=True)
