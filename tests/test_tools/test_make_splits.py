"""Label fractions: counts, disjoint and covering lists, the same bytes for the same seed."""

import hashlib
import importlib.util
import json
from fractions import Fraction

import pytest

from mmssl.datasets import CamVidDataset, UnlabeledDataset
from mmssl.errors import DataError


@pytest.fixture(scope='module')
def tool(repository):
    spec = importlib.util.spec_from_file_location('make_splits', repository / 'tools' / 'make_splits.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    """Forty empty files with the names of images in two subfolders; the tool opens no image."""
    for i in range(40):
        path = tmp_path / 'images' / 'ab'[i % 2] / f'photo {i}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(tmp_path / 'images')


def read(path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.parametrize(
    ('total', 'fraction', 'count'),
    [(367, '1/8', 46), (367, '1/4', 92), (367, '1/2', 184), (2975, '1/8', 372), (2975, '1/4', 744), (2975, '1/30', 99)]
    + [(4, '1/8', 1), (5, '0.3', 2), (7, '1', 7), (10, '0.25', 3), (10, '1/20', 1)],
)
def test_rounding_is_half_up(tool, total, fraction, count):
    assert tool.labeled_count(total, Fraction(fraction)) == count


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('0', '--fraction 0: expected more than 0 and at most 1'),
        ('9/8', '--fraction 9/8: expected more than 0 and at most 1'),
        ('-1/8', '--fraction -1/8: expected more than 0 and at most 1'),
        ('nan', '--fraction nan: not a number; expected for example 1/8 or 0.125'),
        ('1/0', '--fraction 1/0: not a number; expected for example 1/8 or 0.125'),
    ],
)
def test_bad_fractions(tool, text, message):
    with pytest.raises(ValueError) as caught:
        tool.parse_fraction(text)
    assert str(caught.value) == message


def test_bad_counts(tool, folder, tmp_path):
    with pytest.raises(ValueError, match='^--fraction 1/100: 1/100 of 40 images is none; expected at least one image$'):
        tool.make_splits(folder, ['1/100'], [], 0, False, tmp_path / 'out')
    for count in (0, 41):
        with pytest.raises(ValueError, match=f'^--count {count}: expected 1 to 40, the number of images$'):
            tool.make_splits(folder, [], [count], 0, False, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_draw_is_the_documented_one(tool):
    """The rank of a name is the SHA-256 of key/name: an independent computation gives the same lists."""
    names = [f'n{i}' for i in range(9)]
    digest = {name: hashlib.sha256(b'7/' + name.encode()).hexdigest() for name in names}
    smallest = sorted(names, key=digest.get)[:4]
    assert tool.draw(names, 4, '7') == (sorted(smallest), sorted(set(names) - set(smallest)))
    assert tool.draw(names[::-1], 4, '7') == tool.draw(names, 4, '7')


def test_files_are_disjoint_covering_and_repeatable(tool, folder, tmp_path):
    tool.make_splits(folder, ['1/8', '1/2'], [3], 0, False, tmp_path / 'one')
    tool.make_splits(folder, ['1/8', '1/2'], [3], 0, False, tmp_path / 'two')
    everything = sorted(f'{"ab"[i % 2]}/photo {i}' for i in range(40))
    for title, count in (('1of8', 5), ('1of2', 20), ('count3', 3)):
        split = tmp_path / 'one' / f'{title}-seed0'
        labeled, unlabeled = read(split / 'labeled.txt'), read(split / 'unlabeled.txt')
        assert len(labeled) == count and sorted(labeled + unlabeled) == everything
        report = json.loads((split / 'split.json').read_text())
        assert (report['total'], report['seed'], report['split'], report['nested']) == (40, 0, title, False)
        for file in ('labeled.txt', 'unlabeled.txt'):
            data = (split / file).read_bytes()
            assert report[file] == {'count': len(data.splitlines()), 'sha256': hashlib.sha256(data).hexdigest()}
        for file in ('labeled.txt', 'unlabeled.txt', 'split.json'):
            assert (split / file).read_bytes() == (tmp_path / 'two' / split.name / file).read_bytes()
        assert len(list(split.iterdir())) == 3


def test_seeds_differ_and_a_used_folder_is_not_overwritten(tool, folder, tmp_path):
    for seed in (0, 1):
        tool.make_splits(folder, ['1/2'], [], seed, False, tmp_path / 'out')
    labeled = [read(tmp_path / 'out' / f'1of2-seed{seed}' / 'labeled.txt') for seed in (0, 1)]
    assert len(labeled[0]) == len(labeled[1]) == 20 and labeled[0] != labeled[1]
    path = tmp_path / 'out' / '1of2-seed0' / 'labeled.txt'
    path.write_text('a/photo 0\n')
    with pytest.raises(DataError) as caught:
        tool.make_splits(folder, ['1/2'], [], 0, False, tmp_path / 'out')
    assert str(caught.value) == f'{path}: exists with other names; expected another --out, or remove it first'


@pytest.mark.parametrize('nested', [False, True])
def test_nested_splits_are_subsets(tool, folder, tmp_path, nested):
    fractions = ['1/8', '1/4', '1/2', '1']
    tool.make_splits(folder, fractions, [], 3, nested, tmp_path)
    sets = [set(read(tmp_path / f'{f.replace("/", "of")}-seed3' / 'labeled.txt')) for f in ('1/8', '1/4', '1/2', '1/1')]
    assert [len(s) for s in sets] == [5, 10, 20, 40]
    subsets = [small <= large for small, large in zip(sets, sets[1:], strict=False)]
    assert subsets == [True, True, True] if nested else not all(subsets)


def test_camvid_lists_build_datasets(tool, repository, camvid_root, tmp_path, mmseg_scope, monkeypatch):
    """From the config of CamVid to a labelled and an unlabelled dataset: 46 and 321 of 367, nothing shared."""
    monkeypatch.chdir(repository)
    (report,) = tool.make_splits('configs/_base_/datasets/camvid_192x256.py', ['1/8'], [], 0, False, tmp_path)
    assert (report['labeled.txt']['count'], report['unlabeled.txt']['count']) == (46, 321)
    split = tmp_path / '1of8-seed0'
    labeled = CamVidDataset(data_root=str(camvid_root), ann_file=str(split / 'labeled.txt'))
    unlabeled = UnlabeledDataset(
        data_root=str(camvid_root), data_prefix={'img_path': 'train/'}, ann_file=str(split / 'unlabeled.txt')
    )
    paths = [{d.get_data_info(i)['img_path'] for i in range(len(d))} for d in (labeled, unlabeled)]
    assert [len(p) for p in paths] == [46, 321] and not paths[0] & paths[1]
    assert paths[0] | paths[1] == {str(p) for p in (camvid_root / 'train').iterdir()}


def test_cityscapes_names_are_those_mmseg_takes(tool, tmp_path, mmseg_scope):
    from mmseg.datasets import CityscapesDataset

    for i in range(8):
        for path in (
            f'leftImg8bit/train/c{i % 2}/c_{i}_leftImg8bit.png',
            f'gtFine/train/c{i % 2}/c_{i}_gtFine_labelTrainIds.png',
        ):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).touch()
    config = tmp_path / 'config.py'
    prefix = {'img_path': 'leftImg8bit/train', 'seg_map_path': 'gtFine/train'}
    dataset = {'type': 'CityscapesDataset', 'data_root': str(tmp_path), 'data_prefix': prefix, 'pipeline': []}
    repeated = {'type': 'RepeatDataset', 'times': 2, 'dataset': dataset}
    config.write_text(f'train_dataloader = dict(dataset={repeated!r})\n')
    tool.make_splits(str(config), ['1/4'], [], 0, False, tmp_path / 'out')
    names = read(tmp_path / 'out' / '1of4-seed0' / 'labeled.txt')
    assert len(names) == 2 and all(name in {f'c{i % 2}/c_{i}' for i in range(8)} for name in names)
    listed = CityscapesDataset(
        data_root=str(tmp_path), data_prefix=prefix, ann_file=str(tmp_path / 'out' / '1of4-seed0' / 'labeled.txt')
    )
    assert [listed.get_data_info(i)['img_path'] for i in range(2)] == [
        f'{tmp_path}/leftImg8bit/train/{name}_leftImg8bit.png' for name in names
    ]


def test_command_line(tool, folder, tmp_path, capsys):
    out = str(tmp_path / 'out')
    tool.main([folder, '--fraction', '1/4', '--count', '2', '--seed', '5', '--out', out])
    lines = capsys.readouterr().out.splitlines()
    sha = hashlib.sha256((tmp_path / 'out' / '1of4-seed5' / 'labeled.txt').read_bytes()).hexdigest()
    assert lines[0] == f'{out}/1of4-seed5: 40 images' and lines[3] == f'{out}/count2-seed5: 40 images'
    assert lines[1].split() == ['labeled.txt', '10', 'sha256', sha]

    with pytest.raises(SystemExit) as caught:
        tool.main([folder, '--fraction', '2', '--seed', '5', '--out', out])
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('error: --fraction 2: expected more than 0 and at most 1')
    with pytest.raises(SystemExit):
        tool.main([folder, '--seed', '5', '--out', out])
    assert 'expected --fraction or --count' in capsys.readouterr().err
