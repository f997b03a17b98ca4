"""tools/analysis_tools/pipeline_speed.py: tables, JSON and one-line errors."""

import importlib.util
import json
import runpy
import sys

import pytest

TOOL = 'tools/analysis_tools/pipeline_speed.py'
STREETS = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'
CAMVID = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'


@pytest.fixture
def tool(repository, monkeypatch):
    monkeypatch.chdir(repository)
    spec = importlib.util.spec_from_file_location('pipeline_speed', repository / TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_configs_at_two_sizes(tool, mmseg_scope, tmp_path, capsys, camvid_root):
    out = tmp_path / 'new/speeds.json'
    command = [STREETS, CAMVID, '--size', '64x96', '--size', '96X128', '--number', '2', '--seconds', '0.1']
    speeds = tool.main([*command, '--out', str(out)])
    assert [(speed.config, speed.size) for speed in speeds] == [
        (STREETS, (64, 96)),
        (STREETS, (96, 128)),
        (CAMVID, (64, 96)),
        (CAMVID, (96, 128)),
    ]
    content = json.loads(out.read_text())
    assert [row['images_per_second'] for row in content] == [speed.images_per_second for speed in speeds]
    assert content[3]['size'] == [96, 128]
    text = capsys.readouterr().out
    for speed in speeds:
        assert f'{speed.images_per_second:.1f} |' in text
        assert f'rounds; {speed.verdict()}' in text
    assert 'erfnet_1xb8-600i_camvid-192x256, 96x128' in text
    assert 'LoadStreetScene takes the most' in text


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--size', '512'], 'argument --size: 512 found, HEIGHTxWIDTH expected, such as 512x1024'),
        (['--size', '0x8'], 'argument --size: 0x8 found'),
        (['--number', '0'], '--number 0, --seconds 3 found, numbers above 0 expected'),
        (['--seconds', 'nan'], '--seconds nan found'),
    ],
)
def test_bad_arguments(tool, arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.main([STREETS, *arguments])
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_a_missing_folder_ends_with_one_line(repository, monkeypatch, capsys, mmseg_scope, tmp_path):
    command = [TOOL, str(repository / CAMVID), '--images', str(tmp_path / 'nowhere')]
    monkeypatch.delenv('MMSSL_TRACEBACK', raising=False)
    monkeypatch.setattr(sys, 'argv', command)
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(repository / TOOL), run_name='__main__')
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert [line for line in error.splitlines() if line.startswith('error: ')] == [
        f'error: {tmp_path / "nowhere"}: the folder does not exist (--images) (MMSSL_TRACEBACK=1 shows where)'
    ]
