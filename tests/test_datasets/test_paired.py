"""Pairs on CamVid's training list, split in two halves, and on street scenes."""

import pickle

import numpy as np
import pytest
import torch
from mmengine.dataset import RepeatDataset
from mmengine.registry import DATASETS
from mmengine.runner import Runner

from mmssl.datasets import CamVidDataset, PairedDataset, UnlabeledDataset
from mmssl.errors import DataError

LABELED = [
    {'type': 'mmssl.LoadImage'},
    {'type': 'mmssl.LoadSegAnnotations'},
    {'type': 'PackSegInputs'},
]
UNLABELED = [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.MarkValidRegion'}, {'type': 'mmssl.PackUnlabeledInputs'}]
SCENES = {'type': 'mmssl.StreetScenesDataset', 'num_images': 3, 'size': (64, 96)}

pytestmark = pytest.mark.usefixtures('mmseg_scope')


@pytest.fixture
def halves(camvid_root, repository):
    lists = repository / 'configs/_base_/splits/camvid/1of2-seed0'
    labeled = {
        'type': 'mmssl.CamVidDataset',
        'data_root': str(camvid_root),
        'ann_file': str(lists / 'labeled.txt'),
        'pipeline': LABELED,
    }
    unlabeled = {
        'type': 'mmssl.UnlabeledDataset',
        'data_root': str(camvid_root),
        'data_prefix': {'img_path': 'train'},
        'ann_file': str(lists / 'unlabeled.txt'),
        'pipeline': UNLABELED,
    }
    return labeled, unlabeled


def scenes(seed=0, classes=None, pipeline=None, **changes):
    load = [{'type': 'mmssl.LoadStreetScene'}]
    cfg = {**SCENES, 'seed': seed, 'pipeline': [*load, {'type': 'PackSegInputs'}] if pipeline is None else pipeline}
    return {**cfg, **({'metainfo': {'classes': classes}} if classes else {}), **changes}


def unlabeled_scenes(seed=1, **changes):
    load = {'type': 'mmssl.LoadStreetScene', 'with_labels': False}
    return scenes(seed, pipeline=[load, {'type': 'mmssl.PackUnlabeledInputs'}], **changes)


def test_a_pair_is_one_of_each_side(halves):
    pair = DATASETS.build({'type': 'mmssl.PairedDataset', 'labeled': halves[0], 'unlabeled': halves[1]})
    assert (len(pair), len(pair.labeled), len(pair.unlabeled)) == (184, 184, 183)
    assert pair.metainfo['classes'] == CamVidDataset.METAINFO['classes']
    sample = pair[7, 100]
    for name, index, side in (('labeled', 7, pair.labeled), ('unlabeled', 100, pair.unlabeled)):
        alone = side[index]
        assert torch.equal(sample['inputs'][name], alone['inputs'])
        assert sample['inputs'][name].shape == (3, 360, 480)
        assert sample['inputs'][name].dtype == torch.uint8
        path = side.get_data_info(index)['img_path']
        assert sample['data_samples'][name].metainfo['img_path'] == path
        assert pair.get_data_info((7, 100))[name]['img_path'] == path
    assert 'gt_sem_seg' in sample['data_samples']['labeled']
    assert 'gt_sem_seg' not in sample['data_samples']['unlabeled']
    assert sample['data_samples']['unlabeled'].valid_region.data.all()


def test_one_number_runs_through_both_sides():
    pair = PairedDataset(labeled=scenes(), unlabeled=unlabeled_scenes(num_images=5))

    def indices(index):
        info = pair.get_data_info(index)
        return info['labeled']['index'], info['unlabeled']['index']

    assert [indices(index) for index in range(len(pair))] == [(0, 0), (1, 1), (2, 2), (0, 3), (1, 4)]
    assert indices(-1) == (1, 4)
    with pytest.raises(IndexError, match='index 5, expected one below 5, or a pair'):
        pair[5]
    assert len(list(pair)) == 5
    assert [info['seed'] for info in pair.get_data_info(0).values()] == [0, 1]


def test_masks_of_unlabelled_images_change_nothing(halves):
    labeled, unlabeled = halves
    masked = {**labeled, 'ann_file': unlabeled['ann_file']}
    marked = UNLABELED[1:]
    loading = [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.LoadSegAnnotations'}]
    rotate = {'type': 'RandomRotate', 'prob': 1.0, 'degree': 20.0}
    crop = {'type': 'RandomCrop', 'crop_size': (192, 256)}
    seen = []
    for side in (
        {**unlabeled, 'pipeline': [UNLABELED[0], marked[0], rotate, crop, marked[1]]},
        {**masked, 'pipeline': [UNLABELED[0], marked[0], rotate, crop, marked[1]]},
        {**masked, 'pipeline': [*loading, marked[0], rotate, crop, marked[1]]},
        {**masked, 'pipeline': [*loading, marked[0], rotate, crop, {**marked[1], 'keep_masks': True}]},
    ):
        pair = PairedDataset(labeled=labeled, unlabeled=side)
        np.random.seed(3)
        seen.append(pair[0, 5])
    for sample in seen[1:]:
        assert torch.equal(sample['inputs']['unlabeled'], seen[0]['inputs']['unlabeled'])
        regions = [each['data_samples']['unlabeled'].valid_region.data for each in (sample, seen[0])]
        assert torch.equal(*regions)
        assert 0.3 < regions[0].float().mean() < 1
    assert ['gt_sem_seg' in sample['data_samples']['unlabeled'] for sample in seen] == [False, False, False, True]
    truth = seen[3]['data_samples']['unlabeled'].gt_sem_seg.data
    assert (truth[~regions[0]] == 255).all()
    assert 5 < len(truth.unique()) <= 12


def test_batches_of_a_loader_have_the_form_of_the_contract():
    """Through worker processes, as in a training."""
    loader = Runner.build_dataloader(
        {
            'batch_size': 2,
            'num_workers': 1,
            'sampler': {'type': 'mmssl.PairedInfiniteSampler'},
            'dataset': {'type': 'mmssl.PairedDataset', 'labeled': scenes(), 'unlabeled': unlabeled_scenes()},
        },
        seed=0,
    )
    batch = next(iter(loader))
    pairs = [pair for pair, _ in zip(loader.sampler, range(2), strict=False)]
    assert set(batch) == {'inputs', 'data_samples'}
    for side, name in enumerate(('labeled', 'unlabeled')):
        assert [tuple(image.shape) for image in batch['inputs'][name]] == [(3, 64, 96)] * 2
        names = [sample.metainfo['img_path'] for sample in batch['data_samples'][name]]
        assert names == [f'game_{pair[side]:06d}.png' for pair in pairs]


def test_built_datasets_wrappers_and_pickles(camvid_root):
    labeled = RepeatDataset(DATASETS.build(scenes()), times=4)
    images = UnlabeledDataset(
        data_root=str(camvid_root),
        data_prefix={'img_path': 'val'},
        pipeline=UNLABELED,
        lazy_init=True,
    )
    pair = PairedDataset(labeled=labeled, unlabeled=images)
    assert (len(pair), len(labeled), len(images)) == (101, 12, 101)
    pair.full_init()
    copy = pickle.loads(pickle.dumps(pair))
    assert torch.equal(copy[11, 100]['inputs']['unlabeled'], pair[11, 100]['inputs']['unlabeled'])


def test_overlap_is_told_at_once(halves, camvid_root):
    labeled, unlabeled = halves
    with pytest.raises(DataError, match=r'184 of 367 unlabelled images are labelled ones too: .*\(same file\)'):
        PairedDataset(labeled=labeled, unlabeled={**unlabeled, 'ann_file': ''})
    assert len(PairedDataset(labeled=labeled, unlabeled={**unlabeled, 'ann_file': ''}, overlap='off')) == 367
    with pytest.raises(DataError, match='3 of 3 unlabelled images .*both styles of a seed show the same streets'):
        PairedDataset(labeled=scenes(), unlabeled=unlabeled_scenes(seed=0, style='photo'))
    with pytest.raises(ValueError, match="overlap='never', expected one of"):
        PairedDataset(labeled=scenes(), unlabeled=unlabeled_scenes(), overlap='never')


def test_an_empty_side_is_told():
    with pytest.raises(DataError, match='the unlabelled mmssl.StreetScenesDataset has no image'):
        PairedDataset(labeled=scenes(), unlabeled=unlabeled_scenes(indices=[]))
    empty = DATASETS.build(scenes(indices=[], serialize_data=False))
    with pytest.raises(DataError, match='the labelled StreetScenesDataset has no image'):
        PairedDataset(labeled=empty, unlabeled=unlabeled_scenes())


def test_other_classes_are_told(halves):
    classes = CamVidDataset.METAINFO['classes']
    renamed = {**halves[1], 'metainfo': {'classes': [*classes[:3], 'Street', *classes[4:]]}}
    with pytest.raises(DataError, match=r"class 3 is 'Road' in the labelled .*'Street' in the unlabelled one"):
        PairedDataset(labeled=halves[0], unlabeled=renamed)
    with pytest.raises(DataError, match=r"class 10 is 'Bicyclist' .*\(11 classes\) and missing .*\(10 classes\)"):
        PairedDataset(labeled=scenes(), unlabeled=unlabeled_scenes(classes=classes[:10]))
    PairedDataset(labeled=halves[0], unlabeled={**halves[1], 'metainfo': {'classes': classes}})


def test_pipelines_that_do_not_fit_are_told():
    load = {'type': 'mmssl.LoadStreetScene', 'with_labels': False}
    crop = {'type': 'RandomCrop', 'crop_size': (32, 32), 'cat_max_ratio': 0.75}
    pack, mark = {'type': 'mmssl.PackUnlabeledInputs'}, {'type': 'mmssl.MarkValidRegion'}
    with pytest.raises(ValueError, match='RandomCrop of the unlabelled pipeline has cat_max_ratio=0.75'):
        PairedDataset(labeled=scenes(), unlabeled=scenes(1, pipeline=[load, crop, pack]))
    with pytest.raises(ValueError, match='MarkValidRegion without PackUnlabeledInputs'):
        PairedDataset(labeled=scenes(), unlabeled=scenes(1, pipeline=[load, mark, {'type': 'PackSegInputs'}]))
    with pytest.raises(ValueError, match='MarkValidRegion in the labelled pipeline'):
        PairedDataset(labeled=scenes(pipeline=[load, mark, pack]), unlabeled=unlabeled_scenes())
