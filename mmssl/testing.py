"""Stand-ins for data: for tests of this package and of what builds on it, and for measurements."""

import torch
from mmengine.structures import BaseDataElement, PixelData
from mmseg.structures import SegDataSample
from torch import Tensor

LABEL_BLOCK = 16  # pixels; synthetic masks are piecewise constant, as real ones are
IGNORED_SHARE = 0.05  # of the blocks
IGNORE_INDEX = 255


def synthetic_images(shape: tuple[int, int], batch_size: int, seed: int = 0) -> list[Tensor]:
    """Draws noise images, each (3, H, W) uint8 in 0..255, as a loader delivers them."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 256, (3, *shape), dtype=torch.uint8, generator=generator) for _ in range(batch_size)]


def synthetic_labels(shape: tuple[int, int], batch_size: int, num_classes: int, seed: int = 0) -> list[Tensor]:
    """Draws masks of constant blocks, of which about one in twenty is ignored, never all and never none.

    Args:
        shape: height and width in pixels.
        batch_size: number of masks.
        num_classes: ids are 0..num_classes-1, ignored pixels are 255.
        seed: of the draw.

    Returns:
        ``batch_size`` masks, each (1, H, W) int64.
    """
    generator = torch.Generator().manual_seed(seed)
    rows, columns = (-(-size // LABEL_BLOCK) for size in shape)
    labels = []
    for _ in range(batch_size):
        blocks = torch.randint(0, num_classes, (rows, columns), generator=generator)
        blocks[torch.rand(rows, columns, generator=generator) < IGNORED_SHARE] = IGNORE_INDEX
        blocks[-1, -1] = 0
        mask = blocks.repeat_interleave(LABEL_BLOCK, 0).repeat_interleave(LABEL_BLOCK, 1)[: shape[0], : shape[1]]
        mask = mask.clone()
        mask[0, 0] = IGNORE_INDEX
        labels.append(mask[None])
    return labels


def segmentation_batch(
    num_classes: int, *, batch_size: int = 2, size: tuple[int, int] = (64, 96), seed: int = 0
) -> dict:
    """A batch as mmseg's dataloader gives it: noise with masks of constant blocks.

    Args:
        num_classes: ids are 0 to K - 1, and 255 for ignored pixels.
        batch_size: number of samples.
        size: height and width in pixels.
        seed: of the draws.

    Returns:
        ``{'inputs': [(3, H, W) uint8], 'data_samples': [SegDataSample]}``.
    """
    samples = []
    for index, labels in enumerate(synthetic_labels(size, batch_size, num_classes, seed)):
        meta = {'img_shape': size, 'ori_shape': size, 'pad_shape': size, 'img_path': f'noise_{index}.png'}
        samples.append(SegDataSample(metainfo=meta, gt_sem_seg=PixelData(data=labels)))
    return {'inputs': synthetic_images(size, batch_size, seed), 'data_samples': samples}


def paired_batch(num_classes: int, *, batch_size: int = 2, size: tuple[int, int] = (64, 96), seed: int = 0) -> dict:
    """A batch as the dataloader of a ``PairedDataset`` gives it; the unlabelled samples have no masks.

    Args:
        num_classes: of the labelled masks.
        batch_size: number of pairs.
        size: height and width in pixels.
        seed: of the draws.

    Returns:
        ``inputs`` and ``data_samples``, each a dict with the keys ``labeled`` and ``unlabeled``.
    """
    branches = {
        'labeled': segmentation_batch(num_classes, batch_size=batch_size, size=size, seed=seed),
        'unlabeled': segmentation_batch(num_classes, batch_size=batch_size, size=size, seed=seed + 1),
    }
    for sample in branches['unlabeled']['data_samples']:
        del sample.gt_sem_seg
    return {key: {name: branch[key] for name, branch in branches.items()} for key in ('inputs', 'data_samples')}


def pixel_views_batch(*, batch_size: int = 2, side: int = 64, seed: int = 0) -> dict:
    """A batch as the pipeline of ``mmssl.PixelViews`` and the default collation give it: noise, and views that overlap.

    Args:
        batch_size: number of images.
        side: of the square views in pixels, those of the original image; view 2 is shifted by a fifth of it.
        seed: of the draws.

    Returns:
        ``inputs``, two (B, 3, side, side) uint8, and ``data_samples`` with ``boxes`` and ``affine`` (no change).
    """
    boxes = torch.tensor([[0.0, 0, side, side], [side / 5, 0, side * 6 / 5, side]])
    affine = torch.eye(2, 3).repeat(2, 1, 1)
    samples = [BaseDataElement(metainfo={'boxes': boxes.clone(), 'affine': affine.clone()}) for _ in range(batch_size)]
    images = synthetic_images((side, side), 2 * batch_size, seed)
    return {'inputs': [torch.stack(images[:batch_size]), torch.stack(images[batch_size:])], 'data_samples': samples}
