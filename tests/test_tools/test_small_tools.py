"""tools/model_converters/erfnet.py and tools/analysis_tools/class_frequencies.py from their command lines."""

import pytest
import torch
from mmseg.models.backbones import ERFNet

from mmssl.models.backbones.erfnet import ERFNetEncoder


def test_convert_writes_what_loads(run_tool, tmp_path, mmseg_scope):
    theirs = ERFNet()
    state = {f'backbone.{key}': value for key, value in theirs.state_dict().items()}
    state['decode_head.conv_seg.bias'] = torch.zeros(19)
    torch.save({'state_dict': state, 'meta': {'classes': ('road',)}}, tmp_path / 'mmseg.pth')
    status, out, _ = run_tool('model_converters/erfnet.py', 'mmseg.pth', 'new/ours.pth')
    assert status == 0
    assert f'{len(state) - 1} tensors written to new/ours.pth' in out
    assert 'left out: decode_head.conv_seg.bias' in out
    converted = torch.load(tmp_path / 'new/ours.pth', weights_only=True)['state_dict']
    encoder = {key.removeprefix('backbone.'): value for key, value in converted.items() if key.startswith('backbone.')}
    ours = ERFNetEncoder()
    ours.load_state_dict(encoder, strict=True)
    assert torch.equal(ours.layers['12'].conv3x1_2.weight, theirs.encoder[11].convs_layers[5].weight)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['ours.pth']


def test_convert_refuses_a_foreign_file(run_tool, tmp_path):
    torch.save({'conv1.weight': torch.zeros(1)}, tmp_path / 'other.pth')
    status, _, err = run_tool('model_converters/erfnet.py', 'other.pth', 'ours.pth')
    assert status == 1
    assert 'no known name among 1 (conv1.weight' in err
    assert not (tmp_path / 'ours.pth').exists()


def test_class_frequencies_of_procedural_scenes(run_tool, repository, tmp_path):
    config = repository / 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'
    options = ['--cfg-options', 'train_dataloader.dataset.num_images=3', 'train_dataloader.dataset.size=(64, 64)']
    status, out, _ = run_tool('analysis_tools/class_frequencies.py', config, *options)
    assert status == 0
    assert 'train: 3 masks' in out
    rows = [[cell.strip() for cell in line.split('|')[1:-1]] for line in out.splitlines() if line.startswith('|')][1:]
    shares = [float(row[1]) for row in rows]
    assert len(rows) == 11
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.01)
    assert len(list((tmp_path / 'work_dirs/class_frequencies').glob('*.json'))) == 1
