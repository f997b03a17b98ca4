"""Broken images are replaced, named once, counted over workers and ranks, and too many stop the run."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from forked_runs import run_ranks
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS
from torch.utils.data import DataLoader

from mmssl.datasets import (
    FolderDataset,
    MultiTaskSegDataset,
    PairedDataset,
    PairedInfiniteSampler,
    SkipBrokenImages,
    UnlabeledDataset,
)
from mmssl.datasets.class_frequencies import base_datasets, class_frequencies
from mmssl.datasets.plain_datasets import plain_datasets
from mmssl.errors import DataError, DataNotFoundError, one_line

NUMBER = 12
PIPELINE = [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.LoadSegAnnotations'}, {'type': 'mmseg.PackSegInputs'}]


def write_data(root: Path, broken=(), broken_masks=()) -> Path:
    """Images of the grey level of their number, with masks; some cut off."""
    for folder in ('images', 'masks'):
        (root / folder).mkdir(parents=True)
    for index in range(NUMBER):
        image = np.full((40, 48, 3), 10 * index, np.uint8)
        image[::2, ::3] = np.random.default_rng(index).integers(0, 255, 3)
        for name, array, cut in (
            (f'images/{index:02}.jpg', image, index in broken),
            (f'masks/{index:02}.png', image[..., 0] % 2, index in broken_masks),
        ):
            data = cv2.imencode(Path(name).suffix, array)[1].tobytes()
            (root / name).write_bytes(data[: len(data) // 2] if cut else data)
    return root


def labeled(root: Path, **options) -> dict:
    return {
        'type': 'mmssl.FolderDataset',
        'data_root': str(root),
        'metainfo': {'classes': ('a', 'b')},
        'pipeline': PIPELINE,
    } | options


def host(root: Path, pipeline=None) -> dict:
    pipeline = pipeline or [
        {'type': 'mmseg.LoadImageFromFile'},
        {'type': 'mmseg.LoadAnnotations'},
        {'type': 'mmseg.PackSegInputs'},
    ]
    return {
        'type': 'mmseg.BaseSegDataset',
        'data_root': str(root),
        'data_prefix': {'img_path': 'images', 'seg_map_path': 'masks'},
        'metainfo': {'classes': ('a', 'b')},
        'pipeline': pipeline,
    }


@pytest.fixture
def lines(monkeypatch):
    """What is logged."""
    found = []
    monkeypatch.setattr('mmssl.datasets.skip_broken.print_log', lambda line, **options: found.append(line))
    return found


def name(sample) -> str:
    return Path(sample['data_samples'].img_path).name


def test_good_samples_are_those_of_the_dataset(tmp_path, lines):
    config = labeled(write_data(tmp_path))
    dataset, wrapped = DATASETS.build(config), SkipBrokenImages(dataset=config)
    assert len(wrapped) == len(dataset) == NUMBER
    assert wrapped.metainfo == dataset.metainfo and wrapped.get_data_info(3) == dataset.get_data_info(3)
    for index in (0, 5, -1):
        assert torch.equal(wrapped[index]['inputs'], dataset[index]['inputs'])
    assert [name(sample) for sample in wrapped] == [name(dataset[index]) for index in range(NUMBER)]
    assert not lines and wrapped.broken == []


@pytest.mark.parametrize('config', [labeled, host], ids=['ours', 'mmseg'])
def test_replacements_are_drawn_from_numpy_and_named_once(tmp_path, lines, config):
    root = write_data(tmp_path, broken=[3, 7], broken_masks=[9])
    wrapped = SkipBrokenImages(dataset=config(root), max_fraction=0.25)
    assert wrapped.limit == 3
    drawn = []
    for _ in range(2):
        np.random.seed(5)
        drawn.append([name(wrapped[index]) for index in range(NUMBER)])
    assert drawn[0] == drawn[1]  # also now that the broken ones are known
    assert not {'03.jpg', '07.jpg', '09.jpg'} & set(drawn[0])
    assert [found for index, found in enumerate(drawn[0]) if index not in (3, 7, 9)] == [
        f'{index:02}.jpg' for index in range(NUMBER) if index not in (3, 7, 9)
    ]
    assert [Path(path).name for path in wrapped.broken] == ['03.jpg', '07.jpg', '09.jpg']
    assert len(lines) == 3
    assert lines[0].startswith(f'SkipBrokenImages: {root}/images/03.jpg: the file is truncated')
    assert lines[0].endswith('another sample takes its place (1 of at most 3)')
    assert f'{root}/masks/09.png: the file is truncated' in lines[2]


def test_over_the_limit_it_stops_with_number_limit_and_files(tmp_path, lines):
    root = write_data(tmp_path, broken=[0, 4, 8, 9])
    wrapped = SkipBrokenImages(dataset=labeled(root), max_fraction=0.25)
    np.random.seed(0)
    with pytest.raises(DataError) as caught:
        [wrapped[index] for index in range(NUMBER)]
    line = str(caught.value)
    assert line.startswith(f'4 of 12 samples are broken, max_fraction=0.25 allows 3: {root}/images/00.jpg, ')
    assert '/08.jpg, ...; the last: ' in line and '\n' not in line
    with pytest.raises(DataError, match='1 of 12 samples are broken, max_fraction=0 allows 0'):
        SkipBrokenImages(dataset=labeled(root), max_fraction=0)[0]


def test_other_faults_stop_at_once(tmp_path, lines):
    root = write_data(tmp_path)
    wrapped = SkipBrokenImages(dataset=labeled(root), max_fraction=0.9)
    cv2.imwrite(str(root / 'masks/02.png'), np.full((40, 48), 7, np.uint8))
    with pytest.raises(DataError, match='02.png: the mask holds the ids 7; expected 0..1, 255'):
        wrapped[2]
    (root / 'images/03.jpg').unlink()
    with pytest.raises(DataNotFoundError, match='03.jpg: the file does not exist'):
        wrapped[3]
    loading = [{'type': 'mmseg.LoadImageFromFile'}, {'type': 'mmseg.LoadAnnotations', 'reduce_zero_label': True}]
    fails = host(root, loading)
    with pytest.raises(AssertionError, match='reduce_zero_label'):  # a mistake in a pipeline is no broken image
        SkipBrokenImages(dataset=fails, max_fraction=0.9)[0]
    assert not lines


def test_files_that_a_host_cannot_decode_are_broken(tmp_path, lines):
    root = write_data(tmp_path)
    (root / 'images/01.jpg').write_bytes(b'not an image, but whole')
    (root / 'masks/02.png').write_bytes(b'nor a mask')
    wrapped = SkipBrokenImages(dataset=host(root), max_fraction=0.2)
    np.random.seed(0)
    assert {name(wrapped[1]), name(wrapped[2])}.isdisjoint({'01.jpg', '02.jpg'})
    assert 'not a readable image' in lines[0] and 'not a readable image' in lines[1]


def test_what_it_is_not_for(tmp_path):
    root = write_data(tmp_path)
    with pytest.raises(ValueError, match='max_fraction=1, expected 0 to below 1'):
        SkipBrokenImages(dataset=labeled(root), max_fraction=1)
    with pytest.raises(ValueError, match='test_mode=True'):
        SkipBrokenImages(dataset=labeled(root, test_mode=True))
    silent = [{'type': 'mmseg.LoadImageFromFile', 'ignore_empty': True}]
    with pytest.raises(ValueError, match='ignore_empty=True'):
        SkipBrokenImages(dataset=host(root, silent))
    with pytest.raises(ValueError, match='PairedDataset, expected one of its sides'):
        SkipBrokenImages(dataset=pair(root, root / 'none', overlap='off'))


def pair(root: Path, other: Path, wrap: bool = False, **options) -> PairedDataset:
    if not other.exists():
        write_data(other, broken=[2])
    unlabeled = {
        'type': 'mmssl.UnlabeledDataset',
        'data_root': str(other),
        'data_prefix': {'img_path': 'images'},
        'pipeline': [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.PackUnlabeledInputs'}],
    }
    sides = {'labeled': labeled(root), 'unlabeled': unlabeled}
    if wrap:
        sides = {
            key: {'type': 'mmssl.SkipBrokenImages', 'dataset': side, 'max_fraction': 0.2} for key, side in sides.items()
        }
    return PairedDataset(**sides, **options)


def test_around_each_side_of_pairs_and_tasks(tmp_path, lines):
    root, other = write_data(tmp_path / 'labeled', broken=[1]), tmp_path / 'unlabeled'
    paired = pair(root, other, wrap=True, overlap='off')
    assert [type(part) for part in plain_datasets(paired)] == [FolderDataset, UnlabeledDataset]
    assert [type(part) for part in base_datasets(paired.labeled)] == [FolderDataset]
    assert paired.metainfo['classes'] == ('a', 'b') and len(paired) == NUMBER
    np.random.seed(0)
    sample = paired[1, 2]
    assert not Path(sample['data_samples']['labeled'].img_path).name.startswith('01')
    assert not Path(sample['data_samples']['unlabeled'].img_path).name.startswith('02')
    assert len(next(iter(PairedInfiniteSampler(paired)))) == 2
    several = MultiTaskSegDataset(segmentation=paired, tasks={'a': paired.unlabeled})
    assert [type(part) for part in plain_datasets(several)] == [FolderDataset, UnlabeledDataset, UnlabeledDataset]
    with pytest.raises(DataError, match='unlabelled images are labelled ones too'):
        pair(root, root, wrap=True)


def test_class_frequencies_and_wrappers_of_mmengine(tmp_path):
    config = labeled(write_data(tmp_path))
    expected = class_frequencies(DATASETS.build(config), progress=False)
    assert np.array_equal(class_frequencies(SkipBrokenImages(dataset=config), progress=False), expected)
    parts = ConcatDataset([DATASETS.build(config)] * 2)
    wrapped = SkipBrokenImages(dataset=RepeatDataset(DATASETS.build(config), 3))
    assert len(SkipBrokenImages(dataset=parts)) == 2 * NUMBER and len(wrapped) == 3 * NUMBER
    assert isinstance(next(plain_datasets(wrapped)), BaseDataset)


@pytest.mark.parametrize('method', ['fork', 'forkserver'])
def test_workers_count_together(tmp_path, method):
    root = write_data(tmp_path, broken=[0, 5, 7, 8])
    wrapped = SkipBrokenImages(dataset=labeled(root), max_fraction=0.4)
    loader = DataLoader(wrapped, batch_size=2, num_workers=2, multiprocessing_context=method, collate_fn=list)
    assert sum(map(len, loader)) == NUMBER
    assert [Path(path).name[:2] for path in wrapped.broken] == ['00', '05', '07', '08']
    strict = SkipBrokenImages(dataset=labeled(root), max_fraction=0.25)  # either worker alone meets two
    loader = DataLoader(strict, batch_size=2, num_workers=2, multiprocessing_context=method, collate_fn=list)
    with pytest.raises(DataError) as caught:
        list(loader)
    assert one_line(caught.value).startswith('4 of 12 samples are broken, max_fraction=0.25 allows 3: ')


def on_a_rank(root: Path) -> None:
    """Load what a rank would; each tells what it met."""
    import mmseg.datasets  # noqa: F401, registers

    torch.distributed.init_process_group('gloo')
    rank = int(os.environ['RANK'])
    wrapped = SkipBrokenImages(dataset=labeled(root), max_fraction=0.2)
    np.random.seed(rank)
    indices = range(rank, NUMBER, 2)
    found = [name(wrapped[index]) for index in indices]
    (root / f'{rank}.json').write_text(json.dumps([found, [Path(path).name for path in wrapped.broken]]))


def test_every_rank_tells_what_it_met(tmp_path):
    root = write_data(tmp_path / 'data', broken=[3, 4])
    assert run_ranks(on_a_rank, root, log=tmp_path / 'log') == [0, 0], (tmp_path / 'log.0').read_text()
    for rank, number in ((0, 4), (1, 3)):
        log = (tmp_path / f'log.{rank}').read_text()
        assert f'SkipBrokenImages: rank {rank}: {root}/images/{number:02}.jpg: the file is truncated' in log
        found, broken = json.loads((root / f'{rank}.json').read_text())
        assert len(found) == NUMBER // 2 and f'{number:02}.jpg' in broken


def test_real_images_cut_off(tmp_path, coco128_root, lines):
    """Of COCO's first images every tenth loses its end."""
    files = sorted((coco128_root / 'images').glob('*.jpg'))[:40]
    (tmp_path / 'images').mkdir()
    for index, file in enumerate(files):
        data = file.read_bytes()
        (tmp_path / 'images' / file.name).write_bytes(data[:-200] if index % 10 == 0 else data)
    config = {'type': 'mmssl.UnlabeledDataset', 'data_root': str(tmp_path), 'data_prefix': {'img_path': 'images'}}
    config['pipeline'] = [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.PackUnlabeledInputs'}]
    wrapped = SkipBrokenImages(dataset=config, max_fraction=0.1)
    np.random.seed(0)
    assert len([wrapped[index] for index in range(40)]) == 40
    assert [Path(path).name for path in wrapped.broken] == [file.name for file in files[::10]] and len(lines) == 4
