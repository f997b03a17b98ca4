"""Which weights patterns select."""

import pytest
import torch
from torch import nn

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.pruning.selection import select_weights


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.ModuleDict(
            {'stem': nn.Conv2d(3, 4, 3), 'norm': nn.BatchNorm2d(4), 'up': nn.ConvTranspose2d(4, 4, 2, groups=2)}
        )
        self.decode_head = nn.Sequential(nn.Conv1d(4, 4, 1, bias=False), nn.LayerNorm(4), nn.Linear(4, 2))
        self.embedding = nn.Embedding(5, 4)


@pytest.mark.parametrize(
    ('patterns', 'names'),
    [
        ('backbone', ['backbone.stem.weight', 'backbone.up.weight']),
        ('decode_head.*', ['decode_head.0.weight', 'decode_head.2.weight']),
        ('*', ['backbone.stem.weight', 'backbone.up.weight', 'decode_head.0.weight', 'decode_head.2.weight']),
        (['decode_head.2', 'back*'], ['backbone.stem.weight', 'backbone.up.weight', 'decode_head.2.weight']),
        ('*.up', ['backbone.up.weight']),
    ],
)
def test_patterns(patterns, names):
    assert select_weights(Net(), patterns) == names


@pytest.mark.parametrize(
    ('patterns', 'message'),
    [
        ('bakbone', "pattern 'bakbone' matches no convolution or linear layer of Net; .* backbone, decode_head$"),
        (['backbone', 'embedding'], "pattern 'embedding' matches no"),
        ('backbone.norm', "pattern 'backbone.norm' matches no"),
        ('backbon', "pattern 'backbon' matches no"),
        ([], 'modules: no pattern found'),
    ],
)
def test_patterns_without_a_match(patterns, message):
    with pytest.raises(ValueError, match=message):
        select_weights(Net(), patterns)


def test_shared_and_computed_weights():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))
    net[1].weight = net[0].weight
    assert select_weights(net, '*') == ['0.weight']
    assert select_weights(nn.Linear(2, 2), '*') == ['weight']


def test_erfnet_encoder():
    """Every number of the encoder is a weight of a convolution, a bias or a parameter of a norm."""
    net = ERFNetEncoder()
    names = select_weights(net, 'layers')
    parameters = dict(net.named_parameters())
    assert len(names) == 55  # 3 downsamplers, 13 blocks of 4
    assert all(parameters[name].dim() == 4 for name in names)
    assert {p.dim() for name, p in parameters.items() if name not in names} == {1}
    assert sum(torch.numel(parameters[name]) for name in names) == sum(
        p.numel() for p in parameters.values() if p.dim() == 4
    )
