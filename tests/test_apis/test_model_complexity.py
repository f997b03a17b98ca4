"""Parameters and FLOPs against counts by hand."""

import torch
from torch import nn

from mmssl.apis.model_complexity import PartComplexity, measure_complexity


class Head(nn.Module):
    """Called by another method than forward, as mmseg's heads are."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2, bias=False)

    def predict(self, features):
        return self.up(features)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.grouped = nn.Conv2d(8, 8, (3, 1), padding=(1, 0), groups=4, bias=False)
        self.head = Head()
        self.mix = nn.Parameter(torch.eye(4))
        self.stem[0].bias.requires_grad_(False)

    def forward(self, x):
        y = self.head.predict(self.grouped(self.stem(x)))
        return (y.flatten(2).transpose(1, 2) @ self.mix).sum()


def test_by_hand():
    net = Net().eval()
    parts = measure_complexity(net, lambda: net(torch.zeros(1, 3, 10, 12)))
    # Half resolution is 5x6 = 30 pixels, full resolution 120.
    expected = {
        'stem': PartComplexity(8 * 3 * 9 + 8 + 16, 8 * 3 * 9 + 16, 2 * 30 * 8 * 3 * 9),
        'grouped': PartComplexity(8 * 2 * 3, 8 * 2 * 3, 2 * 30 * 8 * 2 * 3),
        # Each of the 30 inputs touches a 2x2 window once.
        'head': PartComplexity(8 * 4 * 4, 8 * 4 * 4, 2 * 30 * 8 * 4 * 4),
        'other': PartComplexity(16, 16, 2 * 120 * 4 * 4),
    }
    sums = [sum(getattr(part, name) for part in expected.values()) for name in ('parameters', 'trainable', 'flops')]
    assert parts == {**expected, 'total': PartComplexity(*sums)}
    assert list(parts)[-1] == 'total'
