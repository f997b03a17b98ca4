"""The projector by hand, and its size."""

import pytest
import torch
from torch import nn

from mmssl.models.layers.momentum_bn import MomentumBN
from mmssl.models.necks.conv_projector import ConvProjector
from mmssl.registry import MODELS


def test_by_hand():
    projector = ConvProjector(in_channels=2, hidden_channels=2, out_channels=1).eval()
    with torch.no_grad():
        projector.hidden.weight.copy_(torch.tensor([[1.0, 2], [1, -1]])[..., None, None])
        projector.hidden.bias.copy_(torch.tensor([1.0, 0]))
        projector.norm.running_mean.copy_(torch.tensor([2.0, 0]))
        projector.norm.running_var.fill_(4 - projector.norm.eps)
        projector.out.weight.copy_(torch.tensor([[10.0, 100]])[..., None, None])
        projector.out.bias.fill_(0.5)
    # Pixels (3, 1) and (0, 4). Hidden 6, 2 and 9, -4; normed 2, 1 and 3.5, -2; after ReLU 2, 1 and 3.5, 0.
    x = torch.tensor([[3.0, 0], [1, 4]])[None, :, None]
    torch.testing.assert_close(projector(x), torch.tensor([[[[120.5, 35.5]]]]))
    torch.testing.assert_close(projector((torch.zeros(1), x)), projector(x))  # an earlier map is not looked at


def test_batch_is_normalised_over_images_and_pixels():
    torch.manual_seed(0)
    projector = ConvProjector(in_channels=3, hidden_channels=5, out_channels=2)
    seen = []
    projector.norm.register_forward_hook(lambda module, inputs, output: seen.append(output.clone()))
    projector(torch.randn(4, 3, 6, 7) * 3 + 2)
    torch.testing.assert_close(seen[0].mean((0, 2, 3)), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[0].var((0, 2, 3), correction=0), torch.ones(5), atol=1e-4, rtol=0)


def test_sizes_of_pixpro(mmseg_scope):
    projector = MODELS.build({'type': 'mmssl.ConvProjector'})
    assert sum(parameter.numel() for parameter in projector.parameters()) == 9_449_728
    assert projector.eval()(torch.zeros(1, 2048, 2, 3)).shape == (1, 256, 2, 3)


@pytest.mark.parametrize('name, kind', [('SyncBN', nn.SyncBatchNorm), ('mmssl.MomentumBN', MomentumBN)])
def test_norm_by_config(name, kind):
    projector = ConvProjector(in_channels=4, hidden_channels=6, out_channels=2, norm_cfg={'type': name, 'eps': 1e-3})
    assert isinstance(projector.norm, kind)
    assert projector.norm.eps == 1e-3


@pytest.mark.parametrize('name', ['in_channels', 'hidden_channels', 'out_channels'])
def test_wrong_sizes_are_one_line(name):
    with pytest.raises(ValueError, match=f'ConvProjector: {name}=0, expected at least 1'):
        ConvProjector(**{name: 0})
