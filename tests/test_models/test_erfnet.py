import pytest
import torch
import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import nn

from mmssl.models.backbones.erfnet import ERFNetEncoder
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.models.layers.erfnet_blocks import DownsamplerBlock, NonBottleneck1d, UpsamplerBlock


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture
def head(mmseg_scope):
    return ERFNetDecodeHead(num_classes=19)


def test_parameter_counts_are_the_papers(head):
    encoder = ERFNetEncoder()
    assert count(encoder) == 1_874_044
    assert count(head) == 190_147
    assert count(encoder) + count(head) == 2_064_191


def test_layers_carry_the_numbers_of_table_3_1(head):
    encoder = ERFNetEncoder()
    assert list(encoder.layers) == [str(n) for n in range(1, 17)]
    assert list(head.layers) == [str(n) for n in range(17, 23)]
    assert {n for n, layer in encoder.layers.items() if isinstance(layer, DownsamplerBlock)} == {'1', '2', '8'}
    assert {n for n, layer in head.layers.items() if isinstance(layer, UpsamplerBlock)} == {'17', '20'}
    dilations = [encoder.layers[str(n)].conv3x1_2.dilation[0] for n in range(9, 17)]
    assert dilations == [2, 4, 8, 16, 2, 4, 8, 16]
    rates = {n: encoder.layers[str(n)].dropout.p for n in (3, 7, 9, 16)}
    assert rates == {3: 0.03, 7: 0.03, 9: 0.3, 16: 0.3}
    assert head.conv_seg.stride == (2, 2)
    assert head.conv_seg.kernel_size == (2, 2)


def test_outputs_at_strides_2_4_8_on_request(head):
    encoder = ERFNetEncoder(out_indices=(0, 1, 2)).eval()
    image = torch.randn(1, 3, 64, 96)
    maps = encoder(image)
    assert [tuple(m.shape) for m in maps] == [(1, 16, 32, 48), (1, 64, 16, 24), (1, 128, 8, 12)]
    last = ERFNetEncoder().eval()
    last.load_state_dict(encoder.state_dict())
    (only,) = last(image)
    assert torch.equal(only, maps[2])
    assert head(maps).shape == (1, 19, 64, 96)


def test_odd_sizes_round_up():
    (features,) = ERFNetEncoder().eval()(torch.randn(1, 3, 45, 61))
    assert features.shape[2:] == (6, 8)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'out_indices': (3,)}, r'out_indices=\(3,\), expected some of 0, 1, 2'),
        ({'out_indices': ()}, 'expected some of 0, 1, 2'),
        ({'memory_format': 'nhwc'}, "memory_format='nhwc'"),
        ({'widths': (16, 64)}, 'expected 3 widths'),
        ({'widths': (64, 16, 128)}, 'out_channels=16, expected above in_channels=64'),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        ERFNetEncoder(**arguments)


def test_an_unknown_argument_raises():
    with pytest.raises(TypeError, match='norm_cg'):
        ERFNetEncoder(norm_cg={'type': 'BN'})


def test_norm_cfg_reaches_every_block(mmseg_scope):
    model = nn.ModuleList(
        [
            ERFNetEncoder(norm_cfg={'type': 'GN', 'num_groups': 2}),
            ERFNetDecodeHead(num_classes=3, norm_cfg={'type': 'GN', 'num_groups': 2}),
        ]
    )
    # one norm in each of 3 downsamplers and 2 upsamplers, two in each of 13 + 4 non-bottleneck blocks
    assert sum(isinstance(m, nn.GroupNorm) for m in model.modules()) == 5 + 2 * 17
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())


def test_eps_is_the_releases_by_default(head):
    norms = [m for m in nn.ModuleList([ERFNetEncoder(), head]).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 39
    assert {norm.eps for norm in norms} == {1e-3}


def test_frozen_norms_by_config():
    encoder = ERFNetEncoder(norm_cfg={'type': 'BN', 'requires_grad': False})
    frozen = [p for p in encoder.parameters() if not p.requires_grad]
    assert sum(p.numel() for p in frozen) == 2 * (16 + 64 + 5 * 2 * 64 + 128 + 8 * 2 * 128)


def test_non_bottleneck_block_by_hand():
    """Identity kernels: the branch is relu(x) normalised twice, the block relu of that plus x."""
    block = NonBottleneck1d(1).eval()
    for conv in (block.conv3x1_1, block.conv1x3_1, block.conv3x1_2, block.conv1x3_2):
        nn.init.zeros_(conv.weight)
        nn.init.zeros_(conv.bias)
        conv.weight.data.view(-1)[1] = 1.0
    x = torch.tensor([[[[1.0, -2.0], [3.0, -0.5]]]])
    scale = (1 + 1e-3) ** -0.5
    expected = F.relu(F.relu(x) * scale * scale + x)
    assert torch.allclose(block(x), expected, atol=1e-6)


def test_downsampler_puts_the_convolution_before_the_pool():
    block = DownsamplerBlock(1, 3).eval()
    nn.init.zeros_(block.conv.weight)
    block.conv.bias.data = torch.tensor([1.0, 2.0])
    x = torch.arange(16.0).view(1, 1, 4, 4)
    out = block(x) * (1 + 1e-3) ** 0.5
    assert torch.allclose(out[0, 0], torch.ones(2, 2))
    assert torch.allclose(out[0, 1], 2 * torch.ones(2, 2))
    assert torch.allclose(out[0, 2], torch.tensor([[5.0, 7.0], [13.0, 15.0]]))


def test_channels_last_equals_contiguous(mmseg_scope):
    torch.manual_seed(0)
    nets = {}
    for layout in ('channels_last', 'contiguous'):
        nets[layout] = nn.Sequential(
            ERFNetEncoder(memory_format=layout), ERFNetDecodeHead(num_classes=5, memory_format=layout)
        ).double()
    nets['contiguous'].load_state_dict(nets['channels_last'].state_dict())
    image = torch.randn(2, 3, 32, 48, dtype=torch.float64)
    outputs, gradients = {}, {}
    for layout, net in nets.items():
        for module in net.modules():
            if isinstance(module, nn.Dropout2d):
                module.p = 0.0
        outputs[layout] = net(image)
        outputs[layout].square().mean().backward()
        gradients[layout] = {name: p.grad for name, p in net.named_parameters()}
    assert outputs['channels_last'].is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(outputs['channels_last'], outputs['contiguous'], rtol=1e-9, atol=1e-12)
    for name, gradient in gradients['contiguous'].items():
        assert torch.allclose(gradients['channels_last'][name], gradient, rtol=1e-6, atol=1e-10), name


def test_it_is_a_host_module():
    assert isinstance(ERFNetEncoder(), BaseModule)


def test_scores_of_the_inputs_size_are_not_interpolated(head):
    scores = torch.randn(1, 19, 16, 24)
    assert head.predict_by_feat(scores, [{'img_shape': (15, 24), 'pad_shape': (16, 24)}]) is scores
    window = head.predict_by_feat(scores, [{'img_shape': torch.Size((16, 24)), 'pad_shape': (32, 48)}])
    assert window is scores
    larger = head.predict_by_feat(scores, [{'img_shape': (30, 48), 'pad_shape': (32, 48)}])
    assert torch.equal(larger, F.interpolate(scores, (32, 48), mode='bilinear', align_corners=False))


def test_without_training_the_scores_have_no_checkerboard(head):
    """Each 2x2 cell of the output starts with one value; after training the four positions may differ."""
    scores = head.eval()((torch.randn(1, 128, 4, 6),))
    cells = scores.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
    assert torch.equal(cells, cells[:, :, :, :1, :, :1].expand_as(cells))
    assert scores.std() > 0.01
    weight = head.conv_seg.weight
    weight.grad = None
    head.train()((torch.randn(1, 128, 4, 6),))[..., ::2, ::2].sum().backward()
    assert weight.grad[..., 0, 0].abs().sum() > 0
    assert weight.grad[..., 1, 1].abs().sum() == 0
