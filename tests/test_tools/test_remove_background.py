"""tools/remove_background.py from its command line, with a tiny Mask R-CNN."""

import importlib.util

import cv2
import numpy as np
import pytest
from cutout_cases import OBJECTS, SIZE, picture, write_checkpoint, write_coco, write_recipe


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('remove', repository / 'tools/remove_background.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def data(repository, tmp_path_factory):
    """Folder with images, a recipe and a checkpoint."""
    folder = tmp_path_factory.mktemp('data')
    write_coco(folder)
    write_checkpoint(write_recipe(repository, folder), folder / 'random.pth')
    return folder


@pytest.fixture
def run(tool, data, monkeypatch, capsys):
    """Call the tool; returns status, standard output and standard error without the bar."""
    monkeypatch.delenv('MMSSL_TRACEBACK', raising=False)

    def run(*arguments, checkpoint=data / 'random.pth') -> tuple[int, str, str]:
        fixed = ['--config', data / 'tiny.py', '--checkpoint', checkpoint]
        capsys.readouterr()
        status = 0
        try:
            tool.main([str(argument) for argument in (*arguments, *fixed)])
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        lines = [
            line
            for line in err.splitlines()
            if line.startswith(('error:', 'failed:', 'note:', 'usage:')) or 'error:' in line
        ]
        return status, out, '\n'.join(lines)

    return run


def test_a_folder(run, data, tmp_path):
    status, out, err = run(data / 'images', '--out', tmp_path / 'out', '--score-thr', 0, '--batch-size', 2)
    assert (status, err) == (0, '')
    assert f'{tmp_path}/out: 5 of 5 files written' in out
    shares = []
    for index, name in enumerate(OBJECTS):
        found, image = cv2.imread(str(tmp_path / 'out' / name)), picture(index)
        inside = found.any(axis=2)
        np.testing.assert_array_equal(found[inside], image[inside])
        assert found.shape == (*SIZE, 3)
        shares.append(inside.mean())
    assert 0 < np.mean(shares) < 1


def test_nothing_found_is_transparent(run, data, tmp_path):
    image = data / 'images/a.png'
    status, *_ = run(image, '--out', tmp_path / 'out', '--score-thr', 1, '--background', 'transparent')
    assert status == 0
    assert (cv2.imread(str(tmp_path / 'out/a.png'), cv2.IMREAD_UNCHANGED) == np.zeros((*SIZE, 4))).all()
    status, _, err = run(image, '--out', tmp_path / 'other', '--score-thr', 1, '--no-instance', 'fail')
    assert (status, err) == (1, f'failed: {image}: no instance found')
    assert not (tmp_path / 'other').exists()


def test_bad_files_are_listed(run, data, tmp_path):
    (tmp_path / 'bad.jpg').write_bytes(b'no image')
    names = [tmp_path / 'bad.jpg', data / 'images/a.png', tmp_path / 'none.png', data / 'images/b.png']
    status, out, err = run(*names, '--out', tmp_path / 'out', '--instances', 'car', 'person')
    assert status == 1
    assert '2 of 4 files written' in out
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['a.png', 'b.png']
    first, second = err.splitlines()
    assert first.startswith(f'failed: {tmp_path}/bad.jpg: ')
    assert second == f'failed: {tmp_path}/none.png: the file does not exist'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--score-thr', '1.5'], 'score_thr is 1.5, expected 0 to 1'),
        (['--batch-size', '0'], 'batch_size is 0, expected at least 1'),
        (['--instances', 'person', 'cat'], "unknown class 'cat', expected some of person, bicycle, car"),
        (['--instances', 'all', 'person'], "unknown class 'all', expected some of person, bicycle, car"),
        (['--device', 'tpu9'], "device 'tpu9': not found here, expected cpu, or cuda where there is one"),
        (['--cfg-options', 'modle.a=1'], "--cfg-options modle.a: unknown config key 'modle', did you mean 'model'?"),
    ],
)
def test_bad_options(run, data, tmp_path, arguments, message):
    status, _, err = run(data / 'images/a.png', '--out', tmp_path / 'out', *arguments)
    assert (status, err) == (1, f'error: {message} (MMSSL_TRACEBACK=1 shows where)')
    assert not (tmp_path / 'out').exists()


def test_other_architecture_and_places(run, data, tmp_path):
    image, out = data / 'images/a.png', tmp_path / 'out'
    (tmp_path / 'none').mkdir()
    status, _, err = run(image, '--out', out, '--cfg-options', 'model.backbone.depth=34')
    assert status == 1
    assert err.startswith(f'error: checkpoint {data}/random.pth: does not fit the model, ')
    assert 'tensors differ; first: backbone.layer1.2.conv1.weight is missing' in err
    status, _, err = run(image, '--out', out, checkpoint=tmp_path / 'none.pth')
    assert status == 1 and err.startswith(f'error: checkpoint {tmp_path}/none.pth: no such file')
    for arguments, message in (
        ([image, '--out', data / 'images'], 'the cut-outs would lie among the images in'),
        ([image, data / 'images', '--out', out], 'would both become'),
        ([tmp_path / 'none', '--out', out], 'none: no image there; expected files that end with .png or'),
    ):
        status, _, err = run(*arguments)
        assert status == 1 and message in err and err.count('\n') == 0
    assert not out.exists()
