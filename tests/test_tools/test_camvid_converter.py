"""CamVid's 32 colours to 11 classes."""

import importlib.util

import cv2
import numpy as np
import pytest

from mmssl.datasets import CamVidDataset
from mmssl.errors import DataError, DataNotFoundError


@pytest.fixture(scope='module')
def tool(repository):
    path = repository / 'tools' / 'dataset_converters' / 'camvid.py'
    spec = importlib.util.spec_from_file_location('camvid_converter', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def table(tool):
    return tool.color_table(tool.COLORS)


# By hand: the id of the group that each of the 32 classes belongs to.
IDS = {
    'Sky': 0,
    **dict.fromkeys(['Archway', 'Bridge', 'Building', 'Tunnel', 'Wall'], 1),
    **dict.fromkeys(['Column_Pole', 'TrafficCone'], 2),
    **dict.fromkeys(['LaneMkgsDriv', 'LaneMkgsNonDriv', 'Road'], 3),
    **dict.fromkeys(['ParkingBlock', 'RoadShoulder', 'Sidewalk'], 4),
    **dict.fromkeys(['Tree', 'VegetationMisc'], 5),
    **dict.fromkeys(['Misc_Text', 'SignSymbol', 'TrafficLight'], 6),
    'Fence': 7,
    **dict.fromkeys(['Car', 'OtherMoving', 'SUVPickupTruck', 'Train', 'Truck_Bus'], 8),
    **dict.fromkeys(['Animal', 'CartLuggagePram', 'Child', 'Pedestrian'], 9),
    **dict.fromkeys(['Bicyclist', 'MotorcycleScooter'], 10),
    'Void': 11,
}


def test_every_colour_has_the_id_of_its_group(tool, table):
    assert len(tool.COLORS) == len(set(tool.COLORS.values())) == len(IDS) == 32
    assert int((table != 255).sum()) == 32
    for name, rgb in tool.COLORS.items():
        label = np.array([[rgb[::-1]]], dtype=np.uint8)  # OpenCV reads BGR
        assert tool.convert_label(label, table, name).tolist() == [[IDS[name]]], name


def test_colours_of_the_classes_are_those_of_the_dataset(tool):
    """Groups named like one of their classes keep its colour in the palette of CamVidDataset."""
    palette = dict(zip(CamVidDataset.METAINFO['classes'], CamVidDataset.METAINFO['palette'], strict=True))
    assert list(palette) == list(tool.GROUPS)
    same = [name for name in palette if tool.COLORS.get(name) == tuple(palette[name])]
    assert same == [name for name in palette if name not in ('Pole', 'Pavement')]
    assert palette['Pole'] == list(tool.COLORS['Column_Pole'])


def test_unknown_colours_are_named(tool, table):
    label = np.zeros((2, 3, 3), np.uint8)
    label[0, 0], label[1, 2] = (3, 2, 1), (0, 0, 255)  # BGR
    with pytest.raises(DataError) as caught:
        tool.convert_label(label, table, 'x_L.png')
    assert str(caught.value) == (
        'x_L.png: 2 colours that are no class of CamVid ((1 2 3), (255 0 0)); expected the 32 of label_colors.txt'
    )


@pytest.fixture
def original(tool, tmp_path):
    """Four labels of 48x64 pixels in random colours of CamVid, their photographs, and lists of two columns."""
    rng = np.random.default_rng(0)
    rgb = np.array(list(tool.COLORS.values()), dtype=np.uint8)
    for folder in ('labels', 'images', 'lists'):
        (tmp_path / folder).mkdir()
    for i in range(4):
        cv2.imwrite(str(tmp_path / f'labels/s_{i}_L.png'), rgb[rng.integers(0, 32, (48, 64))][..., ::-1])
        cv2.imwrite(str(tmp_path / f'images/s_{i}.png'), rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))
    (tmp_path / 'lists/train.txt').write_text(
        ''.join(f'/SegNet/CamVid/train/s_{i}.png /SegNet/CamVid/trainannot/s_{i}.png\n' for i in (2, 0))
    )
    (tmp_path / 'lists/val.txt').write_text('s_1\n')
    return tmp_path


def contents(folder) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob('*')) if p.is_file()}


def test_whole_conversion(tool, original):
    sources = {name: contents(original / name) for name in ('labels', 'images', 'lists')}
    out = original / 'CamVid'
    args = [
        *('--labels', str(original / 'labels'), '--images', str(original / 'images'), '--size', '32x24'),
        *('--lists', str(original / 'lists'), '--out', str(out)),
    ]
    tool.main(args)
    first = contents(out)
    assert sorted(first) == sorted(
        [f'train{k}/s_{i}.png' for k in ('', 'annot') for i in (0, 2)] + ['val/s_1.png', 'valannot/s_1.png']
    )
    # Nearest neighbour at half the size takes every second pixel; the slow reference looks each colour up.
    name_of = {rgb: name for name, rgb in tool.COLORS.items()}
    label = cv2.imread(str(original / 'labels/s_2_L.png'))[::2, ::2, ::-1]
    expected = [[IDS[name_of[tuple(pixel)]] for pixel in row] for row in label.tolist()]
    mask = cv2.imread(str(out / 'trainannot/s_2.png'), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8 and mask.tolist() == expected

    tool.main(args)
    assert contents(out) == first  # the second run writes the same bytes
    assert {name: contents(original / name) for name in sources} == sources  # sources are as they were

    val = {'img_path': 'val/', 'seg_map_path': 'valannot/'}
    assert (len(CamVidDataset(data_root=str(out))), len(CamVidDataset(data_root=str(out), data_prefix=val))) == (2, 1)


def test_original_size_without_lists(tool, original):
    counts = tool.convert(original / 'labels', original / 'out', size=None)
    assert counts == {'': 4}
    assert sorted(contents(original / 'out')) == [f'annot/s_{i}.png' for i in range(4)]
    assert cv2.imread(str(original / 'out/annot/s_0.png'), cv2.IMREAD_UNCHANGED).shape == (48, 64)
    assert tool.parse_size('original') is None and tool.parse_size('480x360') == (480, 360)


def test_label_colors_file(tool, tmp_path):
    path = tmp_path / 'label_colors.txt'
    lines = [f'{r} {g} {b}\t{"" if len(name) > 5 else chr(9)}{name}' for name, (r, g, b) in tool.COLORS.items()]
    path.write_text('\n'.join(lines) + '\n')
    assert tool.read_label_colors(path) == tool.COLORS

    def error_of(text: str) -> str:
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            tool.read_label_colors(path)
        return str(caught.value)

    assert error_of('0 0 256 Void') == f'{path}: line 1 is \'0 0 256 Void\'; expected "R G B Name"'
    assert error_of('\n'.join(lines[1:])) == f'{path}: not the 32 classes of CamVid, missing or unknown: Animal'


def test_faults_are_one_line(tool, original):
    labels, images, lists, out = (original / name for name in ('labels', 'images', 'lists', 'out'))

    def error_of(kind=DataError, **kwargs) -> str:
        with pytest.raises(kind) as caught:
            tool.convert(**{'labels': labels, 'out': out, **kwargs})
        return str(caught.value)

    assert error_of(labels=images) == f'{images}: no label there; expected files that end with _L.png'
    assert error_of(DataNotFoundError, labels=out) == f'{out}: the folder does not exist'
    assert error_of(DataNotFoundError, lists=images) == (
        f'{images}: no list there; expected train.txt, val.txt or test.txt'
    )
    (images / 's_1.png').unlink()
    assert error_of(images=images) == f'{images}: 1 of 4 images are missing (s_1)'
    (lists / 'test.txt').write_text('s_0\ns_3\n')
    assert error_of(lists=lists) == f'{lists}/test.txt: 1 names are in train.txt too (s_0)'
    (lists / 'test.txt').write_text('s_9\n')
    assert error_of(lists=lists) == f'{lists}/test.txt: 1 of 1 names have no label (s_9)'
    out.mkdir()
    moved = labels.rename(out / 'annot')
    assert error_of(ValueError, labels=moved) == (f'--out {out}: {moved} would be overwritten; expected another folder')
