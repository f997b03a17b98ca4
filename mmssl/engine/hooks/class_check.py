"""Whether datasets, masks and model mean the same classes."""

from collections.abc import Sequence

from mmseg.structures import SegDataSample

from mmssl.datasets.label_checks import IGNORED
from mmssl.datasets.paired import compare_classes
from mmssl.datasets.split_list import first_few
from mmssl.errors import DataError


def check_classes(classes: Sequence[str] | None, num_classes: int | None, val_classes: Sequence[str] | None) -> None:
    """Raise unless the training images, the model and the validation images have the same classes.

    Args:
        classes: names of the training images, or None where they have none.
        num_classes: of the model; None where it does not say.
        val_classes: names of the validation images, or None.

    Raises:
        DataError: they differ.
    """
    if classes and num_classes is not None and len(classes) != num_classes:
        raise DataError(
            f'the model predicts {num_classes} classes, the training dataset has {len(classes)} '
            f'({first_few(list(classes))}); expected the same number: num_classes of the heads'
        )
    if classes and val_classes:
        compare_classes(classes, val_classes, ('the training dataset', 'the validation dataset'))


def without_label(sample: SegDataSample) -> bool:
    """Whether no pixel of a sample has a class, all being 255; cheap where most have one."""
    mask = sample.gt_sem_seg.data
    return bool(mask[..., ::8, ::8].eq(IGNORED).all()) and bool(mask.eq(IGNORED).all())


def sample_name(sample: SegDataSample) -> str:
    """The file that a sample is of, for a message."""
    return str(sample.metainfo.get('img_path', 'a sample without img_path'))


def check_labels(samples: Sequence[SegDataSample], num_classes: int) -> list[str]:
    """Look at the masks of labelled samples, as they leave the pipeline.

    Args:
        samples: at least one.
        num_classes: K.

    Returns:
        Names of the samples without a labelled pixel; fewer than there are samples.

    Raises:
        DataError: a sample has no mask or an id that is neither 0 to K - 1 nor 255; or no sample has a labelled pixel.
    """
    expected = f'expected ids of 0..{num_classes - 1}'
    empty = []
    for sample in samples:
        if 'gt_sem_seg' not in sample:
            raise DataError(
                f'{sample_name(sample)}: the labelled sample has no mask, expected mmssl.LoadSegAnnotations or '
                'LoadAnnotations in the labelled pipeline'
            )
        mask = sample.gt_sem_seg.data
        ids = mask[mask != IGNORED]
        if not ids.numel():
            empty.append(sample_name(sample))
        elif int(ids.min()) < 0 or int(ids.max()) >= num_classes:
            wrong = sorted({int(value) for value in ids.unique() if not 0 <= value < num_classes})
            raise DataError(
                f'{sample_name(sample)}: the mask leaves the pipeline with the ids '
                f'{first_few([str(value) for value in wrong])}; {expected} and {IGNORED}'
            )
    if len(empty) == len(samples):
        raise DataError(
            f'none of the first {len(samples)} labelled samples has a labelled pixel ({first_few(empty)}), all are '
            f'{IGNORED}; {expected}: see ignore_index, label_map or reduce_zero_label of the dataset'
        )
    return empty
