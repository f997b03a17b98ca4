"""GTA5's labels to masks: complete, resumable, sources untouched, every fault named."""

import importlib.util
import os

import cv2
import numpy as np
import pytest
from PIL import Image

from mmssl import atomic_file
from mmssl.datasets import GTA5Dataset, label_conversion
from mmssl.datasets.gta5 import TRAIN_IDS, read_gta5_label


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('gta5_tool', repository / 'tools/dataset_converters/gta5.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path):
    """Six pairs of 24x32 pixels."""
    rng = np.random.default_rng(0)
    for folder in ('images', 'labels'):
        (tmp_path / folder).mkdir()
    for i in range(6):
        cv2.imwrite(str(tmp_path / f'images/{i:05d}.png'), rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        label = Image.fromarray(rng.integers(0, 35, (24, 32), dtype=np.uint8), mode='P')
        label.putpalette(rng.integers(0, 256, 105, dtype=np.uint8).tobytes())
        label.save(tmp_path / f'labels/{i:05d}.png')
    return tmp_path


def contents(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_whole_conversion(tool, root, capsys):
    sources = contents(root)
    assert tool.main([str(root), '--workers', '3']) == 0
    assert capsys.readouterr().out == f'{root}/labels: 6 masks (6 written, 0 were there)\n'
    after = contents(root)
    assert {name: after[name] for name in sources} == sources
    assert set(after) - set(sources) == {f'labels/{i:05d}_labelTrainIds.png' for i in range(6)} | {'labels/usable.txt'}
    for i in range(6):
        ids = np.array(Image.open(root / f'labels/{i:05d}.png'))
        mask = cv2.imread(str(root / f'labels/{i:05d}_labelTrainIds.png'), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8
        assert mask.tolist() == [[TRAIN_IDS.get(v, 255) for v in row] for row in ids.tolist()]
    assert len(GTA5Dataset(data_root=str(root))) == 6
    assert len(GTA5Dataset(data_root=str(root), ann_file='labels/usable.txt')) == 6

    # again: nothing is written, nothing changes
    before = {p: os.stat(p).st_mtime_ns for p in root.rglob('*_labelTrainIds.png')}
    assert tool.main([str(root)]) == 0
    assert '6 masks (0 written, 6 were there)' in capsys.readouterr().out
    assert contents(root) == after and {p: os.stat(p).st_mtime_ns for p in before} == before
    assert tool.main([str(root), '--overwrite']) == 0
    assert '6 masks (6 written, 0 were there)' in capsys.readouterr().out
    assert contents(root) == after


def test_one_worker_and_many_write_the_same(tool, root):
    for workers in (1, 4):
        assert tool.main([str(root), '--workers', str(workers), '--out', str(root / f'out{workers}')]) == 0
    assert contents(root / 'out1') == contents(root / 'out4') and len(contents(root / 'out1')) == 7
    assert not list((root / 'labels').glob('*_labelTrainIds.png'))


def test_a_stopped_run_goes_on(root, monkeypatch):
    """The fourth mask's writing is cut off half-way: no half mask is left, and the next run makes the missing ones."""
    folders = (root / 'images', root / 'labels', root / 'labels')
    replace, calls = os.replace, []

    def stop(source, target):
        calls.append(target)
        if len(calls) == 4:
            raise OSError(28, 'No space left on device')
        replace(source, target)

    monkeypatch.setattr(atomic_file.os, 'replace', stop)
    with pytest.raises(OSError, match='No space left'):
        label_conversion.convert_labels(*folders, read_gta5_label)
    monkeypatch.setattr(atomic_file.os, 'replace', replace)
    left = contents(root / 'labels')
    done = [name for name in left if name.endswith('_labelTrainIds.png')]
    assert 3 <= len(done) < 6 and not [name for name in left if name.startswith('.')] and 'usable.txt' not in left
    report = label_conversion.convert_labels(*folders, read_gta5_label)
    assert (report.present, report.written) == (len(done), 6 - len(done)) and report.complete


def test_every_fault_is_counted_and_named(tool, root, capsys):
    labels, images = root / 'labels', root / 'images'
    (labels / '00000.png').write_bytes((labels / '00000.png').read_bytes()[:-20])
    cv2.imwrite(str(images / '00001.png'), np.zeros((24, 30, 3), np.uint8))
    (images / '00002.png').unlink()
    (labels / '00003.png').unlink()
    Image.fromarray(np.full((24, 32), 40, np.uint8)).save(labels / '00004.png')
    assert tool.main([str(root)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f'{labels}: 1 masks (1 written, 0 were there)'
    damaged, *others = lines[1:]
    assert damaged.startswith('left out: 2 labels cannot be read: 00000.png (the file is truncated')
    assert damaged.endswith('00004.png (the mask holds the ids 40; expected 0..34)')
    assert others == [
        'left out: 1 labels have another size than their image: 00001.png (24x32, its image 24x30)',
        'left out: 1 labels have no image: 00002.png',
        'left out: 1 labels are missing for an image: 00003.png',
    ]
    assert (labels / 'usable.txt').read_text() == '00005\n'
    assert len((labels / 'left_out.txt').read_text().splitlines()) == 5
    assert len(GTA5Dataset(data_root=str(root), ann_file='labels/usable.txt')) == 1

    # mended: one more run makes what was missing and takes the list of faults away
    Image.fromarray(np.full((24, 32), 7, np.uint8)).save(labels / '00004.png')
    for name in ('00000', '00001', '00002', '00003'):
        (labels / f'{name}.png').unlink(missing_ok=True)
        (images / f'{name}.png').unlink(missing_ok=True)
    assert tool.main([str(root)]) == 0
    assert '2 masks (1 written, 1 were there)' in capsys.readouterr().out
    assert not (labels / 'left_out.txt').exists()


def test_a_damaged_image_is_told(tool, root, capsys):
    (root / 'images/00002.png').write_bytes(b'no image')
    assert tool.main([str(root)]) == 1
    assert '00002.png: the image cannot be read (not an image)' in capsys.readouterr().out


def test_errors_are_one_line(tool, root, capsys, tmp_path):
    def error_of(*argv) -> str:
        with pytest.raises(SystemExit):
            tool.main([str(a) for a in argv])
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert f'{root}/none/images: the folder does not exist' in error_of(root / 'none')
    assert 'workers is 0, expected at least 1' in error_of(root, '--workers', '0')
    (root / 'empty/images').mkdir(parents=True)
    (root / 'empty/labels').mkdir()
    assert 'no label there; expected files that end with .png' in error_of(root / 'empty')
