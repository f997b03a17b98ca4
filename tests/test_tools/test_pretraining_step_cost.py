"""The command: its turns, its ratios, a step that trains, refusals in one line."""

import json

import pytest
import torch

from mmssl.apis.config import load_config

RECIPE = 'configs/pixpro/pixpro-final_erfnet_1xb16-1500i_camvid-96x96.py'


@pytest.fixture
def tool(repository, monkeypatch):
    import importlib

    monkeypatch.syspath_prepend(str(repository / 'tools/analysis_tools'))
    return importlib.import_module('pretraining_step_cost')


def test_table_of_the_modules(tool, repository, monkeypatch, tmp_path, capsys):
    made = []
    seconds = iter([[2.0, 4.0], [3.0, 5.0], [2.2, 4.4], [4.0, 8.0]])

    def build_step(config, propagation, batch, device):
        made.append(propagation)
        assert [tuple(view.shape) for view in batch['inputs']] == [(3, 3, 96, 96)] * 2
        return lambda: None

    monkeypatch.setattr(tool, 'build_step', build_step)
    monkeypatch.setattr(tool, 'time_in_turns', lambda steps, repeats, **_: [next(seconds) for _ in steps])
    out = tmp_path / 'new/numbers.json'
    command = [str(repository / RECIPE), '--batch-size', '3', '--frame', '4', '--device', 'cpu', '--out', str(out)]
    numbers = tool.main(command)
    assert made[0] is None and [cfg['type'] for cfg in made[1:]] == [
        'mmssl.PPM',
        'mmssl.LocalPPM',
        'mmssl.SelfAttentionPropagation',
    ]
    assert made[2]['frame_size'] == 4 and all(cfg['in_channels'] == 128 for cfg in made[1:])
    assert [row['to_none'] for row in numbers['rows']] == pytest.approx([1, (1.5 + 1.25) / 2, 1.1, 2])
    assert json.loads(out.read_text())['rows'] == json.loads(json.dumps(numbers['rows']))
    assert '| LocalPPM 4x4   |    3300.0 |' in capsys.readouterr().out


def test_step_trains_both_encoders(tool, repository):
    from mmengine.registry import DefaultScope, init_default_scope

    config = load_config(str(repository / RECIPE))
    config.model.backbone.widths = (4, 8, 16)
    config.model.neck.update(in_channels=16, hidden_channels=16, out_channels=8)
    init_default_scope(config.default_scope)
    batch = tool.pixel_views_batch(batch_size=2, side=64)
    step = tool.build_step(config, {'type': 'mmssl.PPM', 'in_channels': 8}, batch, 'cpu')
    cells = dict(zip(step.__code__.co_freevars, (cell.cell_contents for cell in step.__closure__), strict=True))
    model = cells['model']
    before = {name: value.clone() for name, value in model.state_dict().items()}
    step()
    DefaultScope._instance_dict.clear()
    after = model.state_dict()
    for part in ('student.neck.out.weight', 'teacher.model.neck.out.weight', 'propagation.transform.0.weight'):
        assert not torch.equal(before[part], after[part]), part
    assert model.teacher.num_steps == 1


def test_other_recipes_are_refused(tool, repository):
    with pytest.raises(ValueError, match='no mmssl.PixelViews'):
        tool.main([str(repository / 'configs/pretext/simclr_erfnet_1xb32-600i_camvid-96x128.py'), '--device', 'cpu'])
