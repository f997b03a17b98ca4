"""The chart of learned mixtures, from checkpoints that are written here."""

import importlib.util
import math
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from mmssl.apis.norm_mixture import LayerMixture, read_norm_mixtures, thirds
from mmssl.errors import DataError, DataNotFoundError
from mmssl.models.layers.switch_norm import SwitchNorm2d

# Shares by hand, and the logits that give them: the softmax of logarithms is their share of the sum.
MEANS = [(0.5, 0.125, 0.375), (0.1, 0.2, 0.7), (0.25, 0.5, 0.25)]
VARIANCES = [(0.6, 0.3, 0.1), (0.2, 0.2, 0.6), (0.0, 1.0, 0.0)]


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('mixture', repository / 'tools/analysis_tools/plot_norm_mixture.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def work_dir(tmp_path):
    """A run whose network has its layers in another order than that of their names."""
    net = nn.ModuleDict({'stem': nn.Conv2d(3, 4, 1)})
    for name, means, variances in zip(('zebra', 'body', 'a_head'), MEANS, VARIANCES, strict=True):
        net[name] = nn.Sequential(nn.BatchNorm2d(4), SwitchNorm2d(4))
        with torch.no_grad():
            net[name][1].mean_weight.copy_(5 + torch.tensor(means).log())
            net[name][1].var_weight.copy_(torch.tensor(variances).clamp(min=1e-30).log())
    folder = tmp_path / 'run'
    folder.mkdir()
    torch.save({'meta': {'iter': 7}, 'state_dict': net.state_dict()}, folder / 'iter_7.pth')
    (folder / 'last_checkpoint').write_text(str(folder / 'iter_7.pth'))
    return folder


def assert_shares(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('source', ['', 'iter_7.pth'])
def test_mixtures_in_the_order_of_the_network(work_dir, source):
    layers = read_norm_mixtures(str(work_dir / source))
    assert [layer.name for layer in layers] == ['zebra.1', 'body.1', 'a_head.1']
    assert_shares([layer.means for layer in layers], MEANS)
    assert_shares([layer.variances for layer in layers], VARIANCES)


def test_thirds_by_hand():
    shares = [(1.0, 0.0, 0.0), (0.5, 0.25, 0.25), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0)]
    layers = [LayerMixture(str(index), share, share[::-1]) for index, share in enumerate(shares)]
    # of four layers the first third has two
    first, middle, last = thirds(layers)
    assert first == LayerMixture('first third', (0.75, 0.125, 0.125), (0.125, 0.125, 0.75))
    assert middle == LayerMixture('middle third', (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))
    assert last == LayerMixture('last third', (0.0, 1.0, 0.0), (0.0, 1.0, 0.0))
    assert thirds(layers[:2]) == []


def test_command(tool, work_dir, tmp_path, capsys):
    out = tmp_path / 'new/mixture.png'
    figure = tool.main([str(work_dir), '--title', 'three layers', '--out', str(out)])
    means, variances = figure.axes
    for axis, expected in ((means, MEANS), (variances, VARIANCES)):
        # a container a statistic, a bar a layer, each on the one before
        assert_shares([[bar.get_height() for bar in bars] for bars in axis.containers], np.transpose(expected))
        bottoms = np.transpose([[bar.get_y() for bar in bars] for bars in axis.containers])
        assert_shares(bottoms, np.cumsum(expected, axis=1) - expected)
    assert [text.get_text() for text in means.get_legend().get_texts()] == ['instance', 'layer', 'batch']
    assert [text.get_text() for text in variances.get_xticklabels()] == ['zebra.1', 'body.1', 'a_head.1']
    assert cv2.imread(str(out)).std() > 1
    printed = capsys.readouterr().out
    rows = {line.split('|')[1].strip(): line.split('|')[2:8] for line in printed.splitlines() if line.count('|') == 8}
    assert [cell.strip() for cell in rows['zebra.1']] == ['50.0', '12.5', '37.5', '60.0', '30.0', '10.0']
    assert rows['middle third'] == rows['body.1']
    assert f'chart written to {out}' in printed


def test_many_layers_have_no_names(tool):
    layers = [LayerMixture(f'layer{index}', *(2 * [(1 / 3, 1 / 3, 1 / 3)])) for index in range(100)]
    figure = tool.chart_of(layers, '')
    assert figure.axes[1].get_xlabel() == 'layer, in the order of the network'
    assert not any('layer' in text.get_text() for text in figure.axes[1].get_xticklabels())


def test_mistakes_are_one_line(repository, tmp_path):
    plain, broken = tmp_path / 'plain.pth', tmp_path / 'broken.pth'
    torch.save(nn.Sequential(nn.BatchNorm2d(3)).state_dict(), plain)
    # what another layer of the same name holds is no mixture
    torch.save({'a.mean_weight': torch.ones(4), 'a.var_weight': torch.ones(4), 'b.mean_weight': torch.ones(3)}, broken)
    for path, count in ((plain, 5), (broken, 3)):
        with pytest.raises(
            DataError, match=f'{path.name}: no mean_weight and var_weight of 3 numbers among {count} ten'
        ):
            read_norm_mixtures(str(path))
    weights = {'a.mean_weight': torch.tensor([1, math.nan, 1]), 'a.var_weight': torch.ones(3)}
    torch.save(weights, broken)
    with pytest.raises(DataError, match=r'broken.pth: a: weights \[1.0, nan, 1.0\] of a mixture, expected finite'):
        read_norm_mixtures(str(broken))
    with pytest.raises(DataNotFoundError, match='no such checkpoint file or work dir'):
        read_norm_mixtures(str(tmp_path / 'missing.pth'))
    command = [sys.executable, repository / 'tools/analysis_tools/plot_norm_mixture.py', plain]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {plain}: no mean_weight')
    assert done.stderr.count('\n') == 1
