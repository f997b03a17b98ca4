"""Small stand-ins for data, for tests of this package and of what builds on it."""

import torch
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample


def segmentation_batch(
    num_classes: int,
    *,
    batch_size: int = 2,
    size: tuple[int, int] = (64, 96),
    ignored: float = 0.1,
    seed: int = 0,
) -> dict:
    """A batch as mmseg's dataloader gives it: noise with random labels.

    Args:
        num_classes: labels are drawn from 0 to K - 1.
        batch_size: number of samples.
        size: height and width in pixels.
        ignored: share of pixels labelled 255, in [0, 1].
        seed: of the torch generator.

    Returns:
        ``{'inputs': [(3, H, W) uint8], 'data_samples': [SegDataSample]}``.
    """
    generator = torch.Generator().manual_seed(seed)
    inputs, samples = [], []
    for index in range(batch_size):
        labels = torch.randint(0, num_classes, (1, *size), generator=generator)
        labels[torch.rand(1, *size, generator=generator) < ignored] = 255
        sample = SegDataSample(
            metainfo={'img_shape': size, 'ori_shape': size, 'pad_shape': size, 'img_path': f'noise_{index}.png'},
            gt_sem_seg=PixelData(data=labels),
        )
        inputs.append(torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8))
        samples.append(sample)
    return {'inputs': inputs, 'data_samples': samples}
