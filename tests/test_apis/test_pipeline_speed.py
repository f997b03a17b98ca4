"""Timing of pipelines with a clock that the tests control, and the images that pipelines are given."""

import cv2
import numpy as np
import pytest
import torch

from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.pipeline_sources import collect_samples
from mmssl.apis.pipeline_speed import (
    PipelineSpeed,
    find_pipeline,
    measure_pipeline,
    middle_mean,
    one_core,
    time_steps,
)
from mmssl.datasets.rendering import render_street_scene
from mmssl.errors import DataError, DataNotFoundError

OWN_CAMVID = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'
CITYSCAPES = 'configs/erfnet/erfnet_1xb20-150e_cityscapes-512x1024.py'
STREETS = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'


class FakeMachine:
    """A clock that only work moves."""

    def __init__(self):
        self.now = 0.0

    def clock(self) -> float:
        return self.now

    def step(self, durations, keep=lambda results: True):
        """A transform that takes these durations, one after the other, the last one for ever."""
        left = list(durations)

        def run(results):
            self.now += left.pop(0) if len(left) > 1 else left[0]
            results['runs'] = results.get('runs', 0) + 1
            return results if keep(results) else None

        return run


def test_rounds_after_a_warm_up():
    """Two samples: the warm-up costs 100 s and counts nowhere; a round costs 2 * (1 + 2) s, so 10 s hold two."""
    machine = FakeMachine()
    steps = [machine.step([50, 50, 1]), machine.step([2])]
    infos = [{'img_path': 'a'}, {'img_path': 'b'}]
    rounds, rejected = time_steps(steps, infos, 10, machine.clock)
    assert rounds.tolist() == [[1, 2], [1, 2]]
    assert rejected == 0
    assert infos == [{'img_path': 'a'}, {'img_path': 'b'}]


def test_one_round_at_least():
    machine = FakeMachine()
    rounds, _ = time_steps([machine.step([3])], [{}], 1e-9, machine.clock)
    assert rounds.tolist() == [[3]]


def test_samples_that_a_step_turns_down():
    """Every other sample stops at the first step: its time counts, the second step has none for it."""
    machine = FakeMachine()
    steps = [machine.step([1], keep=lambda results: results['good']), machine.step([2])]
    rounds, rejected = time_steps(steps, [{'good': True}, {'good': False}], 0.5, machine.clock)
    assert rounds.tolist() == [[1, 1]]
    assert rejected == 0.5
    with pytest.raises(DataError, match='None: the pipeline turned down all 1 samples'):
        time_steps(steps, [{'good': False}], 0.5, machine.clock)


def test_the_middle_half_of_the_rounds():
    """Totals 11, 22, 33, 44 and 550: a quarter of five is one round, so the first and the last do not count."""
    rounds = np.array([[10, 1], [500, 50], [20, 2], [40, 4], [30, 3]])
    assert middle_mean(rounds).tolist() == [30, 3]
    assert middle_mean(rounds[:3]).tolist() == pytest.approx([530 / 3, 53 / 3])


def test_a_step_that_fails_is_named():
    class Broken:
        def __call__(self, results):
            return results['nothing']

    with pytest.raises(DataError, match=r"a\.png: step 2, Broken, fails: KeyError: 'nothing'"):
        time_steps([lambda results: results, Broken()], [{'img_path': 'a.png'}], 1)


@pytest.mark.parametrize(
    ('steps', 'milliseconds', 'expected'),
    [
        (['LoadImage', 'Resize'], [3, 1], 'reading and decoding the image takes the most: LoadImage, 75 %'),
        (['LoadImage', 'OtsuTarget'], [1, 4], 'OtsuTarget takes the most: 80 %; reading and decoding the image: 20 %'),
        (['LoadStreetScene', 'Resize'], [9, 1], 'LoadStreetScene takes the most: 90 %; no image is decoded'),
    ],
)
def test_verdicts(steps, milliseconds, expected):
    assert PipelineSpeed('a', None, '', steps, milliseconds, 1.0, 1, 0.0).verdict() == expected


def test_one_thread_and_back():
    before = cv2.getNumThreads(), torch.get_num_threads()
    with pytest.raises(KeyError), one_core():
        assert (cv2.getNumThreads(), torch.get_num_threads()) == (1, 1)
        raise KeyError
    assert (cv2.getNumThreads(), torch.get_num_threads()) == before


def test_pipelines_that_cannot_be_timed():
    with pytest.raises(ConfigError, match=r'x\.py: no train_dataloader\.dataset'):
        find_pipeline({}, 'x.py')
    with pytest.raises(ConfigError, match=r'x\.py: the dataset A has no pipeline'):
        find_pipeline({'train_dataloader': {'dataset': {'type': 'A'}}}, 'x.py')
    inner = {'type': 'A', 'pipeline': [{'type': 'LoadImageFromFile'}]}
    dataset = {'type': 'MultiImageMixDataset', 'dataset': inner, 'pipeline': [{'type': 'RandomMosaic'}]}
    with pytest.raises(ConfigError, match='MultiImageMixDataset has a pipeline around that of its dataset'):
        find_pipeline({'train_dataloader': {'dataset': dataset}}, 'x.py')
    repeated = {'type': 'RepeatDataset', 'dataset': inner}
    assert find_pipeline({'train_dataloader': {'dataset': repeated}}, 'x.py') == (repeated, inner['pipeline'])


@pytest.fixture
def camvid_settings(camvid_root):
    return {
        'type': 'mmssl.CamVidDataset',
        'data_root': str(camvid_root),
        'data_prefix': {'img_path': 'train/', 'seg_map_path': 'trainannot/'},
    }


def test_the_datasets_own_images(camvid_settings, camvid_root, mmseg_scope, tmp_path):
    samples = collect_samples(camvid_settings, tmp_path, number=3)
    names = sorted(path.name for path in (camvid_root / 'train').glob('*.png'))
    chosen = [info['img_path'].rsplit('/', 1)[1] for info in samples.infos]
    assert chosen == [names[0], names[183], names[366]]
    assert samples.origin == '3 images of the dataset'
    assert list(tmp_path.iterdir()) == []


def test_the_datasets_own_images_at_another_size(camvid_settings, mmseg_scope, tmp_path):
    own = collect_samples(camvid_settings, tmp_path, number=2).infos
    wrapped = {'type': 'RepeatDataset', 'times': 2, 'dataset': camvid_settings}
    resized = collect_samples(wrapped, tmp_path, number=2, size=(60, 80)).infos
    for before, after in zip(own, resized, strict=True):
        image, mask = (cv2.imread(after[key], cv2.IMREAD_UNCHANGED) for key in ('img_path', 'seg_map_path'))
        assert (image.shape, mask.shape) == ((60, 80, 3), (60, 80))
        source = cv2.imread(before['img_path'])
        assert np.abs(image.mean(axis=(0, 1)) - source.mean(axis=(0, 1))).max() < 1
        assert set(np.unique(mask)) <= set(np.unique(cv2.imread(before['seg_map_path'], cv2.IMREAD_UNCHANGED)))
        assert {key: after[key] for key in after if 'path' not in key} == {
            key: before[key] for key in before if 'path' not in key
        }


def test_streets_stand_in_for_missing_files(repository, mmseg_scope, tmp_path):
    """Cityscapes is PNG with 19 classes: so are the streets, with the ids of their own classes."""
    settings = load_config(str(repository / CITYSCAPES), {'data_root': 'nowhere/'}).train_dataloader.dataset
    settings['data_root'] = 'nowhere/'
    samples = collect_samples(settings, tmp_path, number=2, size=(64, 128))
    assert samples.origin == '2 procedural streets, PNG: the files of the dataset are missing'
    for index, info in enumerate(samples.infos):
        scene = render_street_scene(0, index, (64, 128), 'photo')
        assert np.array_equal(cv2.imread(info['img_path']), scene.image)
        assert np.array_equal(cv2.imread(info['seg_map_path'], cv2.IMREAD_UNCHANGED), scene.semantic)
        assert info['num_classes'] == 19


def test_masks_have_no_more_classes_than_the_dataset(mmseg_scope, tmp_path):
    settings = {'type': 'mmssl.UnlabeledDataset', 'data_root': 'nowhere', 'metainfo': {'classes': ('a', 'b', 'c')}}
    (info,) = collect_samples(settings, tmp_path, number=1, size=(64, 96)).infos
    scene = render_street_scene(0, 0, (64, 96), 'photo')
    mask = cv2.imread(info['seg_map_path'], cv2.IMREAD_UNCHANGED)
    assert np.array_equal(mask, np.where(scene.semantic < 3, scene.semantic, 255))
    assert info['img_path'].endswith('.jpg')


def test_images_of_a_folder(camvid_settings, coco128_root, mmseg_scope, tmp_path):
    samples = collect_samples(camvid_settings, tmp_path, number=4, images=coco128_root)
    assert samples.origin == f'4 images of {coco128_root}'
    first = cv2.imread(str(sorted(coco128_root.rglob('*.jpg'))[0]))
    assert cv2.imread(samples.infos[0]['img_path']).shape == first.shape
    mask = cv2.imread(samples.infos[0]['seg_map_path'], cv2.IMREAD_UNCHANGED)
    assert mask.shape == first.shape[:2]
    assert set(np.unique(mask)) == {0, 1, 2, 3}


def test_folders_without_images(camvid_settings, mmseg_scope, tmp_path):
    with pytest.raises(DataNotFoundError, match=r'nowhere: the folder does not exist \(--images\)'):
        collect_samples(camvid_settings, tmp_path, images=tmp_path / 'nowhere')
    with pytest.raises(DataError, match='no image there, expected files that end with .jpg or'):
        collect_samples(camvid_settings, tmp_path, images=tmp_path)
    (tmp_path / 'bad.jpg').write_bytes(b'no picture')
    with pytest.raises(DataError, match='bad.jpg: not a readable image'):
        collect_samples(camvid_settings, tmp_path, images=tmp_path)


def test_scenes_are_rendered_at_the_size_asked_for(repository, mmseg_scope, tmp_path):
    settings = load_config(str(repository / STREETS)).train_dataloader.dataset
    samples = collect_samples(settings, tmp_path, number=2, size=(64, 80))
    assert [info['size'] for info in samples.infos] == [(64, 80)] * 2
    assert samples.origin == 'rendered by the pipeline'
    with pytest.raises(DataError, match='renders its images, --images has no use there'):
        collect_samples(settings, tmp_path, images=tmp_path)


@pytest.mark.parametrize('config', [OWN_CAMVID, CITYSCAPES, STREETS])
def test_recipes(config, repository, monkeypatch, mmseg_scope):
    """Steps in their order, and numbers that belong together; the threads are as before."""
    monkeypatch.chdir(repository)
    cfg = load_config(config)
    speed = measure_pipeline(cfg, config, size=(96, 128), number=2, seconds=0.2)
    expected = [step['type'].split('.')[-1] for step in cfg.train_dataloader.dataset.pipeline]
    assert speed.steps == expected
    assert min(speed.milliseconds) > 0
    assert 1e3 / speed.images_per_second == pytest.approx(sum(speed.milliseconds))
    assert speed.rejected == 0
    assert speed.rounds >= 1


@pytest.mark.parametrize('target', ['OtsuTarget', 'ColorizationTarget'])
def test_pretext_pipelines(target, coco128_root, mmseg_scope):
    pack = 'mmssl.PackPretextInputs' if target == 'ColorizationTarget' else 'PackSegInputs'
    pipeline = [
        {'type': 'mmssl.LoadImage'},
        {'type': 'RandomFlip', 'prob': 0.5},
        {'type': f'mmssl.{target}'},
        {'type': pack},
    ]
    dataset = {'type': 'mmssl.UnlabeledDataset', 'data_root': str(coco128_root), 'pipeline': pipeline}
    speed = measure_pipeline({'train_dataloader': {'dataset': dataset}}, 'pretext', number=4, seconds=0.2)
    assert speed.steps == ['LoadImage', 'RandomFlip', target, pack.split('.')[-1]]
    assert speed.origin == '4 images of the dataset'
