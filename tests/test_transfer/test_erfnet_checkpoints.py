"""Weights of the public release and of mmseg must give the same features here."""

import pytest
import torch
import torch.nn.functional as F
from mmseg.models.backbones import ERFNet
from torch import nn

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.transfer.erfnet_checkpoints import convert_erfnet


def randomise_norms(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.1, 0.1)


def load_ours(state_dict: dict, num_classes: int) -> nn.ModuleDict:
    ours = nn.ModuleDict({'backbone': ERFNetEncoder(), 'decode_head': ERFNetDecodeHead(num_classes=num_classes)})
    missing, unexpected = ours.load_state_dict(state_dict, strict=False)
    assert not unexpected
    assert set(missing) <= {'decode_head.conv_seg.weight', 'decode_head.conv_seg.bias'}
    return ours.eval()


class ReleasedNet(nn.Module):
    """ERFNet as a flat computation on the public release's tensor names, written from their description."""

    def __init__(self, num_classes: int):
        super().__init__()
        self.tensors = {}

        def conv(name, out_channels, in_channels, *kernel):
            fan_in = in_channels * kernel[0] * kernel[1]
            self.tensors[f'{name}.weight'] = torch.randn(out_channels, in_channels, *kernel) * (2 / fan_in) ** 0.5
            self.tensors[f'{name}.bias'] = torch.randn(out_channels) * 0.1

        def norm(name, channels):
            self.tensors[f'{name}.weight'] = torch.rand(channels) + 0.5
            self.tensors[f'{name}.bias'] = torch.randn(channels) * 0.1
            self.tensors[f'{name}.running_mean'] = torch.randn(channels) * 0.1
            self.tensors[f'{name}.running_var'] = torch.rand(channels) + 0.5
            self.tensors[f'{name}.num_batches_tracked'] = torch.tensor(1)

        def down(name, in_channels, out_channels):
            conv(f'{name}.conv', out_channels - in_channels, in_channels, 3, 3)
            norm(f'{name}.bn', out_channels)

        def block(name, channels):
            for pair in (1, 2):
                conv(f'{name}.conv3x1_{pair}', channels, channels, 3, 1)
                conv(f'{name}.conv1x3_{pair}', channels, channels, 1, 3)
                norm(f'{name}.bn{pair}', channels)

        def up(name, in_channels, out_channels):
            conv(f'{name}.conv', in_channels, out_channels, 3, 3)
            self.tensors[f'{name}.conv.bias'] = torch.randn(out_channels) * 0.1
            norm(f'{name}.bn', out_channels)

        down('encoder.initial_block', 3, 16)
        down('encoder.layers.0', 16, 64)
        for n in range(1, 6):
            block(f'encoder.layers.{n}', 64)
        down('encoder.layers.6', 64, 128)
        for n in range(7, 15):
            block(f'encoder.layers.{n}', 128)
        conv('encoder.output_conv', num_classes, 128, 1, 1)
        up('decoder.layers.0', 128, 64)
        block('decoder.layers.1', 64)
        block('decoder.layers.2', 64)
        up('decoder.layers.3', 64, 16)
        block('decoder.layers.4', 16)
        block('decoder.layers.5', 16)
        conv('decoder.output_conv', 16, num_classes, 2, 2)
        self.tensors['decoder.output_conv.bias'] = torch.randn(num_classes)

    def _norm(self, name, x):
        t = self.tensors
        return F.batch_norm(
            x,
            t[f'{name}.running_mean'],
            t[f'{name}.running_var'],
            t[f'{name}.weight'],
            t[f'{name}.bias'],
            training=False,
            eps=1e-3,
        )

    def _conv(self, name, x, **kwargs):
        return F.conv2d(x, self.tensors[f'{name}.weight'], self.tensors[f'{name}.bias'], **kwargs)

    def _down(self, name, x):
        x = torch.cat([self._conv(f'{name}.conv', x, stride=2, padding=1), F.max_pool2d(x, 2)], 1)
        return F.relu(self._norm(f'{name}.bn', x))

    def _block(self, name, x, dilation=1):
        y = F.relu(self._conv(f'{name}.conv3x1_1', x, padding=(1, 0)))
        y = F.relu(self._norm(f'{name}.bn1', self._conv(f'{name}.conv1x3_1', y, padding=(0, 1))))
        y = F.relu(self._conv(f'{name}.conv3x1_2', y, padding=(dilation, 0), dilation=(dilation, 1)))
        y = self._norm(f'{name}.bn2', self._conv(f'{name}.conv1x3_2', y, padding=(0, dilation), dilation=(1, dilation)))
        return F.relu(y + x)

    def _up(self, name, x):
        weight, bias = self.tensors[f'{name}.conv.weight'], self.tensors[f'{name}.conv.bias']
        x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)
        return F.relu(self._norm(f'{name}.bn', x))

    def forward(self, x):
        x = self._down('encoder.initial_block', x)
        x = self._down('encoder.layers.0', x)
        for n in range(1, 6):
            x = self._block(f'encoder.layers.{n}', x)
        x = self._down('encoder.layers.6', x)
        for n, dilation in zip(range(7, 15), (2, 4, 8, 16) * 2, strict=True):
            x = self._block(f'encoder.layers.{n}', x, dilation)
        features = x
        x = self._up('decoder.layers.0', x)
        x = self._block('decoder.layers.2', self._block('decoder.layers.1', x))
        x = self._up('decoder.layers.3', x)
        x = self._block('decoder.layers.5', self._block('decoder.layers.4', x))
        tensors = self.tensors
        scores = F.conv_transpose2d(
            x, tensors['decoder.output_conv.weight'], tensors['decoder.output_conv.bias'], stride=2
        )
        return features, scores


def relative_error(got, expected):
    return float((got - expected).abs().max() / expected.abs().max())


def test_public_release(mmseg_scope):
    torch.manual_seed(0)
    released = ReleasedNet(num_classes=20)
    converted, left_out = convert_erfnet({f'module.{key}': value for key, value in released.tensors.items()})
    assert sorted(left_out) == ['encoder.output_conv.bias', 'encoder.output_conv.weight']
    ours = load_ours(converted, num_classes=20)
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        features, scores = released(image)
        encoded = ours['backbone'](image)
        assert relative_error(encoded[0], features) < 1e-5
        assert relative_error(ours['decode_head'](encoded), scores) < 1e-5


def test_mmseg(mmseg_scope):
    torch.manual_seed(0)
    theirs = ERFNet().eval()
    randomise_norms(theirs)
    state_dict = {f'backbone.{key}': value for key, value in theirs.state_dict().items()}
    state_dict['decode_head.conv_seg.weight'] = torch.zeros(19, 128, 1, 1)
    converted, left_out = convert_erfnet(state_dict)
    assert left_out == ['decode_head.conv_seg.weight']
    assert len(converted) == len(state_dict) - 1
    ours = load_ours(converted, num_classes=19)
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        (expected,) = theirs(image)
        x = ours['backbone'](image)[0]
        for layer in ours['decode_head'].layers.values():
            x = layer(x)
    assert relative_error(x, expected) < 1e-5


def test_a_foreign_checkpoint_is_told():
    with pytest.raises(ValueError, match=r'no known name among 1 \(conv1.weight'):
        convert_erfnet({'conv1.weight': torch.zeros(1)})
