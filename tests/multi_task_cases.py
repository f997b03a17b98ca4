"""A tiny segmentor with two tasks and a batch for them."""

import torch
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from mmssl.registry import MODELS

NORM = {'type': 'BN', 'eps': 1e-3, 'requires_grad': True}
COLOURS = {'mean': [123.675, 116.28, 103.53], 'std': [58.395, 57.12, 57.375]}
PIXELS = {'type': 'SegDataPreProcessor', **COLOURS, 'bgr_to_rgb': True, 'size': (32, 32), 'seg_pad_val': 255}
SEGMENTOR = {
    'type': 'EncoderDecoder',
    'data_preprocessor': PIXELS,
    'backbone': {
        'type': 'mmssl.ERFNetEncoder',
        'widths': (16, 24, 32),
        'depth': 1,
        'dilations': (2,),
        'norm_cfg': NORM,
        'dropout': (0.0, 0.0),
    },
    'decode_head': {'type': 'mmssl.ERFNetDecodeHead', 'in_channels': 32, 'num_classes': 5, 'norm_cfg': NORM},
    'train_cfg': {},
    'test_cfg': {'mode': 'whole'},
}
COLOUR = {
    'type': 'EncoderDecoder',
    'data_preprocessor': PIXELS,
    'decode_head': {'type': 'mmssl.ColorizationHead', 'in_channels': 32, 'norm_cfg': NORM},
    'train_cfg': {},
    'test_cfg': {'mode': 'whole'},
}
ROTATION = {
    '_scope_': 'mmpretrain',
    'type': 'ImageClassifier',
    'data_preprocessor': {'type': 'ClsDataPreprocessor', **COLOURS, 'to_rgb': True},
    'head': {'type': 'mmssl.PretextClsHead', 'num_classes': 4, 'in_channels': 32},
}
TASKS = {'colour': {'model': COLOUR, 'weight': 0.5}, 'rotation': {'model': ROTATION, 'weight': 2.0}}


def build(tasks: dict | None = None, segmentor: dict | None = None, iteration: int | None = 0, **options):
    """A model of double precision with the same weights each time, in training mode."""
    torch.manual_seed(0)
    cfg = {'type': 'mmssl.MultiTaskSegmentor', 'segmentor': segmentor or SEGMENTOR, 'tasks': tasks or TASKS, **options}
    model = MODELS.build(cfg).double().train()
    if iteration is not None:
        model.begin_iteration(iteration, 0)
    return model


def batch(rotation_size: int = 32) -> dict:
    """2 labelled images, 3 to colour and 4 to rotate, as a loader gives them."""
    generator = torch.Generator().manual_seed(1)

    def images(count, size=32):
        draws = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
        return list(draws)

    def samples(count, key, channels, low, high):
        made = []
        for _ in range(count):
            sample = SegDataSample(metainfo={'img_shape': (32, 32)})
            target = torch.randint(low, high, (channels, 32, 32), generator=generator)
            setattr(sample, key, PixelData(data=target))
            made.append(sample)
        return made

    inputs = {'segmentation': images(2), 'colour': images(3), 'rotation': images(4, rotation_size)}
    data_samples = {
        'segmentation': samples(2, 'gt_sem_seg', 1, 0, 5),
        'colour': samples(3, 'gt_ab', 2, -20, 20),
        'rotation': [DataSample().set_gt_label(label) for label in range(4)],
    }
    return {'inputs': inputs, 'data_samples': data_samples}


def step(model, data: dict | None = None) -> dict:
    """Losses of a batch, back-propagated."""
    data = model.data_preprocessor(data or batch(), True)
    inputs = {name: images.double() for name, images in data['inputs'].items()}
    losses = model.loss(inputs, data['data_samples'])
    losses['loss'].backward()
    return losses


def gradients(model) -> torch.Tensor:
    """All gradients in one vector, those of the balance left out."""
    named = model.named_parameters()
    return torch.cat([weight.grad.flatten() for name, weight in named if not name.startswith('balance')])


def running(model) -> torch.Tensor:
    """All running statistics in one vector."""
    return torch.cat([buffer.double().flatten() for name, buffer in model.named_buffers() if 'balance' not in name])
