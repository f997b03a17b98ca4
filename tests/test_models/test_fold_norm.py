import copy

import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from torch import nn

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.models.layers.fold_norm import fold_into_conv, fold_norm


def randomise_norms(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, -1, 1.5)
            nn.init.uniform_(module.bias, -1, 1)


@pytest.fixture
def erfnet(mmseg_scope):
    torch.manual_seed(0)
    net = nn.Sequential(ERFNetEncoder(), ERFNetDecodeHead(num_classes=7)).double()
    randomise_norms(net)
    return net


def test_folded_erfnet_gives_the_same_scores(erfnet):
    image = torch.randn(2, 3, 40, 56, dtype=torch.float64)
    folded = fold_norm(erfnet)
    expected = erfnet.eval()(image)
    assert torch.allclose(folded(image), expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
    # what remains are the slices for what the three max-pools hand on: 3, 16 and 64 channels
    norms = [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [norm.num_features for norm in norms] == [3, 16, 64]


def test_a_synchronised_norm_folds_after_mmengine_reverted_it(mmseg_scope):
    net = nn.Sequential(
        ERFNetEncoder(norm_cfg={'type': 'SyncBN', 'eps': 1e-3}),
        ERFNetDecodeHead(num_classes=7, norm_cfg={'type': 'SyncBN'}),
    )
    net = revert_sync_batchnorm(net).eval()
    folded = fold_norm(net)
    assert sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in folded.modules()) == 3
    image = torch.randn(1, 3, 32, 32)
    assert torch.allclose(folded(image), net(image), rtol=1e-4, atol=1e-5)


def test_the_original_is_untouched(erfnet):
    before = copy.deepcopy(erfnet.state_dict())
    erfnet.train()
    fold_norm(erfnet)
    assert erfnet.training
    after = erfnet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_other_norms_are_left_alone():
    encoder = ERFNetEncoder(norm_cfg={'type': 'GN', 'num_groups': 2})
    folded = fold_norm(encoder)
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(folded(image)[0], encoder.eval()(image)[0])
    assert sum(isinstance(m, nn.GroupNorm) for m in folded.modules()) == 3 + 2 * 13


def test_fold_into_conv_by_hand():
    conv = nn.Conv2d(1, 1, 1)
    conv.weight.data.fill_(3.0)
    conv.bias.data.fill_(1.0)
    norm = nn.BatchNorm2d(1, eps=0.0).eval()
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)
    norm.weight.data.fill_(6.0)
    norm.bias.data.fill_(0.5)
    fold_into_conv(conv, norm)
    # 6 * (3x + 1 - 2) / 2 + 0.5 = 9x - 2.5
    assert conv.weight.item() == pytest.approx(9.0)
    assert conv.bias.item() == pytest.approx(-2.5)


def test_channels_must_agree():
    with pytest.raises(ValueError, match='norm has 3 channels, convolution 4'):
        fold_into_conv(nn.Conv2d(2, 4, 1), nn.BatchNorm2d(3))
