"""Whether images of different sizes become one batch."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, zip_longest

import torch
from PIL import Image
from tqdm import tqdm

from mmssl.datasets.class_frequencies import base_datasets
from mmssl.datasets.overlap import PROGRESS_AFTER
from mmssl.errors import DataError, one_line

THREADS = 8  # headers: waiting for a file server, mostly
KINDS = {'labeled': 'labelled', 'unlabeled': 'unlabelled'}
EXIF_ORIENTATION = 0x0112

Size = tuple[int, int]


def stored_size(info: dict) -> Size | None:
    """Height and width of an image before its pipeline, without decoding it; None where only the pipeline knows.

    Args:
        info: of a dataset: ``img_path`` of a file, or ``seed`` and ``size`` of a rendered scene.
    """
    if 'seed' in info and 'size' in info:
        return tuple(info['size'])
    try:
        with Image.open(info['img_path']) as image:
            width, height = image.size
            # Decoders turn photographs of phones upright. Only a JPEG has this at its beginning.
            turned = image.format == 'JPEG' and image.getexif().get(EXIF_ORIENTATION, 1) >= 5
    except (OSError, KeyError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None  # remote, or of another kind, or damaged: the pipeline tells
    return (width, height) if turned else (height, width)


def by_size(dataset, kind: str) -> dict[Size | None, list[tuple[object, int]]]:
    """The samples of a dataset, grouped by the size of their images.

    Args:
        dataset: with ``get_data_info``, or mmengine's wrappers around such.
        kind: for the progress bar.

    Returns:
        Size to (dataset without wrappers, position).
    """
    jobs = [(base, position) for base in base_datasets(dataset) for position in range(len(base))]

    def measure(job: tuple) -> Size | None:
        return stored_size(job[0].get_data_info(job[1]))

    groups = defaultdict(list)
    with ThreadPoolExecutor(THREADS) as pool:
        sizes = tqdm(
            pool.map(measure, jobs), total=len(jobs), desc=f'sizes of {kind} images', unit='image', delay=PROGRESS_AFTER
        )
        for job, size in zip(jobs, sizes, strict=True):
            groups[size].append(job)
    return groups


def choose_samples(groups: dict[Size | None, list], count: int) -> Iterator[tuple[Size | None, object, int]]:
    """Up to ``count`` samples, first one of each size, then a second of each, and so on."""
    turns = chain.from_iterable(zip_longest(*([(size, *job) for job in jobs[:count]] for size, jobs in groups.items())))
    return (turn for _, turn in zip(range(count), (turn for turn in turns if turn is not None), strict=False))


def load_sample(dataset, position: int, kind: str) -> dict:
    """A sample behind its pipeline.

    Args:
        dataset: without wrappers.
        position: of the sample.
        kind: ``'labeled'`` or ``'unlabeled'``, for the error.

    Raises:
        DataError: the pipeline fails, or does not end with a packing transform.
    """
    name = dataset.get_data_info(position).get('img_path', f'sample {position}')
    try:
        sample = dataset[position]
    except DataError:
        raise
    except Exception as error:
        raise DataError(f'{name}: the pipeline of the {KINDS[kind]} images fails: {one_line(error)}') from error
    if not isinstance(sample, dict) or not {'inputs', 'data_samples'} <= set(sample):
        last = {'labeled': 'PackSegInputs', 'unlabeled': 'mmssl.PackUnlabeledInputs'}[kind]
        found = sorted(sample) if isinstance(sample, dict) else type(sample).__name__
        raise DataError(f'{name}: the {KINDS[kind]} pipeline gives {found}, expected {last} at its end')
    return sample


def make_batch(samples: dict[str, list[dict]]) -> dict:
    """Samples of both sides as a paired batch; their ``data_samples`` are copied."""
    return {
        'inputs': {kind: [sample['inputs'] for sample in side] for kind, side in samples.items()},
        'data_samples': {kind: [sample['data_samples'].clone() for sample in side] for kind, side in samples.items()},
    }


@torch.no_grad()
def batch_sizes(preprocess: Callable, samples: dict[str, list[dict]], stored: dict[str, list]) -> dict[str, Size]:
    """Sizes of the batches that samples of both sides become.

    Args:
        preprocess: the data preprocessor of the model.
        samples: of ``labeled`` and ``unlabeled``, behind their pipelines.
        stored: size of each before its pipeline, or None.

    Returns:
        Height and width of the labelled and of the unlabelled batch.

    Raises:
        DataError: images of one side come out with different sizes.
    """
    try:
        inputs = preprocess(make_batch(samples), training=True)['inputs']
        return {kind: tuple(inputs[kind].shape[-2:]) for kind in KINDS}
    except Exception as error:
        found = error
    for kind in KINDS:
        seen: dict[Size, str] = {}
        for sample, size in zip(samples[kind], stored[kind], strict=True):
            alone = {**{other: side[:1] for other, side in samples.items()}, kind: [sample]}
            came_out = tuple(preprocess(make_batch(alone), training=True)['inputs'][kind].shape[-2:])
            before = f' of {size[0]}x{size[1]}' if size else ''
            name = sample['data_samples'].metainfo.get('img_path', 'an image')
            seen.setdefault(came_out, f'{name}{before} comes out as {came_out[0]}x{came_out[1]}')
        if len(seen) > 1:
            one, other, *_ = seen.values()
            raise DataError(
                f'{KINDS[kind]} images have different sizes behind pipeline and data preprocessor: {one}, {other}; '
                'expected one size: add Resize or RandomCrop to the pipeline and set data_preprocessor.size'
            ) from None
    raise DataError(f'the data preprocessor fails on the first images: {one_line(found)}') from found
