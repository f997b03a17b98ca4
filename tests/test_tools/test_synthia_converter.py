"""SYNTHIA's labels of 16 bits to masks of 8."""

import importlib.util

import cv2
import numpy as np
import pytest

from mmssl.datasets import SynthiaDataset
from mmssl.datasets.synthia import TRAIN_IDS


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('synthia_tool', repository / 'tools/dataset_converters/synthia.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path):
    """Four pairs of 20x24 pixels, with instances up to 65,535."""
    rng = np.random.default_rng(0)
    for folder in ('RGB', 'GT/LABELS'):
        (tmp_path / folder).mkdir(parents=True)
    for i in range(4):
        label = np.zeros((20, 24, 3), np.uint16)  # blue, green, red
        label[..., 1] = rng.integers(256, 65536, (20, 24))
        label[..., 2] = rng.integers(0, 23, (20, 24))
        cv2.imwrite(str(tmp_path / f'GT/LABELS/{i:07d}.png'), label)
        cv2.imwrite(str(tmp_path / f'RGB/{i:07d}.png'), rng.integers(0, 256, (20, 24, 3), dtype=np.uint8))
    return tmp_path


def test_whole_conversion(tool, root, capsys):
    sources = {p: p.read_bytes() for p in root.rglob('*.png')}
    assert tool.main([str(root), '--workers', '2']) == 0
    assert capsys.readouterr().out == f'{root}/GT/LABELS: 4 masks (4 written, 0 were there)\n'
    assert {p: p.read_bytes() for p in sources} == sources
    for i in range(4):
        classes = cv2.imread(str(root / f'GT/LABELS/{i:07d}.png'), cv2.IMREAD_UNCHANGED)[..., 2]
        mask = cv2.imread(str(root / f'GT/LABELS/{i:07d}_labelTrainIds.png'), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8 and mask.ndim == 2
        assert mask.tolist() == [[TRAIN_IDS.get(v, 255) for v in row] for row in classes.tolist()]
    dataset = SynthiaDataset(data_root=str(root), pipeline=[])
    assert [dataset[i]['seg_map_path'] for i in range(4)] == [
        f'{root}/GT/LABELS/{i:07d}_labelTrainIds.png' for i in range(4)
    ]
    assert tool.main([str(root)]) == 0
    assert '4 masks (0 written, 4 were there)' in capsys.readouterr().out


def test_a_label_that_lost_its_16_bits_is_refused(tool, root, capsys):
    """What an image editor, or Pillow, makes of a published label."""
    path = root / 'GT/LABELS/0000002.png'
    cv2.imwrite(str(path), (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) >> 8).astype(np.uint8))
    assert tool.main([str(root)]) == 1
    out = capsys.readouterr().out
    assert 'left out: 1 labels cannot be read: 0000002.png (the label has 3 channels of 8 bits; expected 3 of 16' in out
    assert not (root / 'GT/LABELS/0000002_labelTrainIds.png').exists()
    assert (root / 'GT/LABELS/usable.txt').read_text().split() == ['0000000', '0000001', '0000003']
