"""How fast one core runs a data pipeline, and which of its steps takes the time."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.runner import set_random_seed

from mmssl.apis.config import ConfigError
from mmssl.apis.data_folders import dataset_configs
from mmssl.apis.pipeline_sources import collect_samples
from mmssl.errors import DataError, one_line

WARMUP_ROUNDS = 1


@dataclass(frozen=True)
class PipelineSpeed:
    """The speed of one pipeline on one core.

    Attributes:
        config: where the pipeline stands.
        size: height and width that the source images were resized to, or None.
        origin: where the images come from, in words.
        steps: names of the transforms.
        milliseconds: of each step for one image, the mean of the middle rounds (:func:`middle_mean`).
        images_per_second: from the sum of these; what the pipeline gives, without the samples that it turns down.
        rounds: timed rounds; a round runs every source image once.
        rejected: share of the runs that a transform turned down; the dataset would draw another sample.
    """

    config: str
    size: tuple[int, int] | None
    origin: str
    steps: list[str]
    milliseconds: list[float]
    images_per_second: float
    rounds: int
    rejected: float

    def verdict(self) -> str:
        """Say which step takes the most time, and what share of it reading the image takes."""
        total = sum(self.milliseconds)
        slowest = int(np.argmax(self.milliseconds))
        reading = [index for index, name in enumerate(self.steps) if is_image_loader(name)]
        share = 100 * self.milliseconds[slowest] / total
        if slowest in reading:
            return f'reading and decoding the image takes the most: {self.steps[slowest]}, {share:.0f} %'
        text = f'{self.steps[slowest]} takes the most: {share:.0f} %'
        if not reading:
            return f'{text}; no image is decoded'
        decoding = 100 * sum(self.milliseconds[index] for index in reading) / total
        return f'{text}; reading and decoding the image: {decoding:.0f} %'


def is_image_loader(name: str) -> bool:
    """Whether a transform reads an image file, by its name: mmcv's, mmssl's and those that derive from them."""
    return name.startswith('LoadImage')


@contextmanager
def one_core() -> Iterator[None]:
    """Let OpenCV and torch use one thread, as in the worker processes of a loader."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])


def run_steps(
    steps: Sequence[Callable], info: dict, seconds: np.ndarray, clock: Callable[[], float] = time.perf_counter
) -> bool:
    """Run one sample through a pipeline.

    Args:
        steps: the transforms.
        info: the sample, which is not changed.
        seconds: (steps,) float64; the duration of each step is added.
        clock: seconds as a float.

    Returns:
        Whether the sample came through; a transform turns one down by returning None.

    Raises:
        DataError: a step fails; names the step and the file.
    """
    results = copy.deepcopy(info)
    for index, step in enumerate(steps):
        start = clock()
        try:
            results = step(results)
        except Exception as error:
            name = type(step).__name__
            raise DataError(f'{info.get("img_path")}: step {index + 1}, {name}, fails: {one_line(error)}') from error
        seconds[index] += clock() - start
        if results is None:
            return False
    return True


def time_steps(
    steps: Sequence[Callable],
    infos: Sequence[dict],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[np.ndarray, float]:
    """Time the steps of a pipeline in rounds, after a round that warms up.

    Args:
        steps: the transforms.
        infos: samples; a round runs each of them once.
        seconds: rounds are begun until so much time has passed; there is one at least.
        clock: seconds as a float.

    Returns:
        Seconds of each round and step for one sample, (rounds, steps) float64, and the share of rejected samples.

    Raises:
        DataError: a step fails, or every sample is turned down.
    """
    unused = np.zeros(len(steps))
    for _ in range(WARMUP_ROUNDS):
        if not sum(run_steps(steps, info, unused, clock) for info in infos):
            raise DataError(f'{infos[0].get("img_path")}: the pipeline turned down all {len(infos)} samples')
    rounds, passed, begin = [], 0, clock()
    while not rounds or clock() - begin < seconds:
        spent = np.zeros(len(steps))
        passed += sum(run_steps(steps, info, spent, clock) for info in infos)
        rounds.append(spent / len(infos))
    return np.stack(rounds), 1 - passed / (len(rounds) * len(infos))


def middle_mean(rounds: np.ndarray) -> np.ndarray:
    """Average the rounds whose total lies in the middle half.

    A machine that others use too makes single rounds slow, and the steps still add up to the total, unlike medians.

    Args:
        rounds: (rounds, steps), at least one round.

    Returns:
        (steps,), the mean over all but the fastest and the slowest quarter of the rounds, rounded down.
    """
    order, quarter = np.argsort(rounds.sum(axis=1)), len(rounds) // 4
    return rounds[order[quarter : len(rounds) - quarter]].mean(axis=0)


def find_pipeline(cfg: dict, config: str) -> tuple[dict, list[dict]]:
    """Find the dataset of training and its pipeline.

    Args:
        cfg: a whole configuration.
        config: its name, for errors.

    Returns:
        The config of the dataset, wrappers included, and that of its transforms.

    Raises:
        ConfigError: there is no dataset or pipeline, or a wrapper has a pipeline of its own.
    """
    dataset = (cfg.get('train_dataloader') or {}).get('dataset')
    if not dataset:
        raise ConfigError(f'{config}: no train_dataloader.dataset, nothing to time')
    inner = next(dataset_configs(dataset))
    if not inner.get('pipeline'):
        raise ConfigError(f'{config}: the dataset {inner.get("type")} has no pipeline, nothing to time')
    if inner is not dataset and dataset.get('pipeline'):
        raise ConfigError(
            f'{config}: {dataset.get("type")} has a pipeline around that of its dataset, expected one pipeline'
        )
    return dataset, list(inner['pipeline'])


def measure_pipeline(
    cfg: dict,
    config: str,
    *,
    size: tuple[int, int] | None = None,
    images: Path | None = None,
    number: int = 16,
    seconds: float = 3.0,
    seed: int = 0,
) -> PipelineSpeed:
    """Time the training pipeline of a configuration on one core, each step by itself.

    Files lie in the file cache: what is timed is decoding and computing, not the disk.

    Args:
        cfg: a whole configuration.
        config: its name.
        size: height and width that the source images are resized to before, pixels; None keeps them.
        images: folder of images to take instead of the dataset's.
        number: source images.
        seconds: duration of the measurement.
        seed: of the augmentations.

    Returns:
        The speed.

    Raises:
        ConfigError: there is no one pipeline to time.
        DataError: there are no images to read, or a step fails.
    """
    init_default_scope(cfg.get('default_scope') or 'mmseg')
    dataset, pipeline = find_pipeline(cfg, config)
    set_random_seed(seed)
    with one_core(), TemporaryDirectory() as folder:
        steps = Compose(pipeline).transforms
        samples = collect_samples(dataset, Path(folder), number=number, size=size, images=images)
        rounds, rejected = time_steps(steps, samples.infos, seconds)
    each = middle_mean(rounds)
    return PipelineSpeed(
        config=config,
        size=size,
        origin=samples.origin,
        steps=[type(step).__name__ for step in steps],
        milliseconds=(1e3 * each).tolist(),
        images_per_second=float((1 - rejected) / each.sum()),
        rounds=len(rounds),
        rejected=rejected,
    )
