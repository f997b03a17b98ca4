"""Faults of paired data, told before the first iteration: on CamVid and on scenes."""

import logging
import random
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.registry import DATASETS
from PIL import Image
from torch import nn

from mmssl.datasets import CamVidDataset, PairedDataset
from mmssl.engine.hooks.paired_data_check_hook import PairedDataCheckHook
from mmssl.engine.hooks.size_check import by_size, choose_samples, stored_size
from mmssl.errors import DataError

pytestmark = pytest.mark.usefixtures('mmseg_scope')

CLASSES = CamVidDataset.METAINFO['classes']
LOAD = [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.LoadSegAnnotations'}]
CROP = [{'type': 'RandomCrop', 'crop_size': (64, 64)}, {'type': 'RandomFlip', 'prob': 0.5}]
PACK, PACK_UNLABELED = {'type': 'PackSegInputs'}, {'type': 'mmssl.PackUnlabeledInputs'}
BRANCH = {'type': 'SegDataPreProcessor', 'mean': [100.0] * 3, 'std': [50.0] * 3, 'bgr_to_rgb': True}


class Net(BaseModel):
    """What the hook looks at, and a loss that trains."""

    def __init__(self, num_classes=11, mix_source='unlabeled', size=(64, 64), **branch):
        super().__init__({'type': 'mmssl.PairedDataPreprocessor', 'branch': {**BRANCH, 'size': size, **branch}})
        self.num_classes = num_classes
        self.mix_source = mix_source
        self.layer = nn.Conv2d(3, num_classes, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        labels = torch.cat([sample.gt_sem_seg.data for sample in data_samples['labeled']])
        loss = nn.functional.cross_entropy(self.layer(inputs['labeled']), labels, ignore_index=255, reduction='sum')
        return {'loss': loss / labels.numel() + 0 * self.layer(inputs['unlabeled']).sum()}


def scenes(pipeline, **changes):
    cfg = {'type': 'mmssl.StreetScenesDataset', 'num_images': 6, 'size': (64, 96), 'pipeline': pipeline}
    return {**cfg, **changes}


def labeled(*steps, **changes):
    return scenes([{'type': 'mmssl.LoadStreetScene'}, *(steps or CROP), PACK], **changes)


def unlabeled(*steps, **changes):
    load = {'type': 'mmssl.LoadStreetScene', 'with_labels': False}
    return scenes([load, *(steps or CROP), PACK_UNLABELED], **{'seed': 1, **changes})


def paired(first=None, second=None, **changes):
    return PairedDataset(labeled=first or labeled(), unlabeled=second or unlabeled(), **changes)


def make_runner(dataset=None, model=None, val_dataset=None, sampler=None):
    dataset = paired() if dataset is None else dataset
    logger = logging.getLogger('paired')
    return SimpleNamespace(
        model=model or Net(),
        train_dataloader=SimpleNamespace(dataset=dataset, sampler=sampler),
        val_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=val_dataset)) if val_dataset else None,
        logger=logger,
        iter=0,
    )


def check(*arguments, **options):
    PairedDataCheckHook().before_train(make_runner(*arguments, **options))


def void(results):
    """A transform that ignores the whole mask."""
    results['gt_seg_map'][:] = 255
    return results


def camvid(root, kind, pipeline, **changes):
    cfg = {'type': kind, 'data_root': str(root), 'pipeline': pipeline}
    return {**cfg, **changes}


def test_good_data_pass(camvid_root, repository, caplog):
    check()
    lists = repository / 'configs/_base_/splits/camvid/1of2-seed0'
    first = camvid(camvid_root, 'mmssl.CamVidDataset', [*LOAD, *CROP, PACK], ann_file=str(lists / 'labeled.txt'))
    second = camvid(
        camvid_root,
        'mmssl.UnlabeledDataset',
        [LOAD[0], {'type': 'mmssl.MarkValidRegion'}, *CROP, PACK_UNLABELED],
        data_prefix={'img_path': 'train'},
        ann_file=str(lists / 'unlabeled.txt'),
    )
    val = CamVidDataset(data_root=str(camvid_root), data_prefix={'img_path': 'val', 'seg_map_path': 'valannot'})
    check(paired(first, second), Net(mix_source='labeled'), val)
    assert not caplog.records


def test_another_dataset_is_told():
    with pytest.raises(DataError, match='train_dataloader.dataset is list, expected mmssl.PairedDataset'):
        check([1, 2])


def test_a_sampler_of_fixed_pairs_is_warned_of(caplog):
    from mmengine.dataset import InfiniteSampler

    dataset = paired()
    check(dataset, sampler=InfiniteSampler(dataset, seed=0))
    assert 'sampler is InfiniteSampler' in caplog.text
    assert 'expected mmssl.PairedInfiniteSampler' in caplog.text


def test_other_classes_of_the_model_or_of_validation_are_told():
    with pytest.raises(DataError, match=r'the model predicts 19 classes, the training dataset has 11 \(Sky, Building'):
        check(model=Net(num_classes=19))
    val = DATASETS.build(labeled(metainfo={'classes': [*CLASSES[:9], 'Bicyclist']}))
    with pytest.raises(DataError, match=r"class 9 is 'Pedestrian' in the training .*'Bicyclist' in the validation"):
        check(val_dataset=val)


def test_labelled_samples_without_a_label_are_told(caplog):
    with pytest.raises(DataError) as caught:
        check(paired(labeled(void, *CROP)))
    assert str(caught.value).startswith(
        'none of the first 6 labelled samples has a labelled pixel (game_000000.png, game_000001.png, game_000002.png, '
        '...), all are 255; expected ids of 0..10'
    )
    drawn = iter(range(6))
    check(paired(labeled(lambda results: void(results) if next(drawn, 9) in (1, 4) else results, *CROP)))
    text = '2 of the first 6 labelled samples have no labelled pixel (game_000001.png, game_000004.png)'
    assert text in caplog.text


def test_masks_that_are_missing_or_wrong_are_told(camvid_root):
    with pytest.raises(DataError, match='game_000000.png: the labelled sample has no mask'):
        check(paired(scenes([{'type': 'mmssl.LoadStreetScene', 'with_labels': False}, *CROP, PACK])))
    # CamVid's void is 11, which mmseg's loading leaves as it is
    host = [{'type': 'LoadImageFromFile'}, {'type': 'LoadAnnotations'}, *CROP, PACK]
    first = camvid(camvid_root, 'BaseSegDataset', host, metainfo={'classes': CLASSES}, img_suffix='.png')
    first['data_prefix'] = {'img_path': 'train', 'seg_map_path': 'trainannot'}
    np.random.seed(0)
    with pytest.raises(DataError, match=r'train/0001TP_\d+.png: the mask leaves the pipeline with the ids 11; exp'):
        check(paired(first))


def test_pipelines_that_fail_are_told():
    def fail(results):
        raise KeyError('gt_depth')

    with pytest.raises(DataError, match="game_000000.png: the pipeline of the unlabelled images fails: KeyError: 'gt_"):
        check(paired(second=unlabeled(fail)))
    with pytest.raises(DataError, match='the unlabelled pipeline gives .*, expected mmssl.PackUnlabeledInputs'):
        check(paired(second=scenes([{'type': 'mmssl.LoadStreetScene'}], seed=1)))


def write_images(folder, sizes, **options):
    folder.mkdir(exist_ok=True)
    for number, (height, width) in enumerate(sizes):
        path = folder / f'image_{number}.jpg'
        Image.fromarray(np.full((height, width, 3), 90, dtype=np.uint8)).save(path, **options)
    return folder


def image_folder(folder, *steps):
    return {
        'type': 'mmssl.UnlabeledDataset',
        'data_root': str(folder),
        'pipeline': [{'type': 'mmssl.LoadImage'}, *steps, PACK_UNLABELED],
    }


def test_unlabelled_images_of_other_sizes_are_told(tmp_path):
    # the odd one is the last of forty: only headers find it
    folder = write_images(tmp_path, [(64, 64)] * 40 + [(80, 72)])
    with pytest.raises(DataError) as caught:
        check(paired(second=image_folder(folder)))
    text = str(caught.value)
    assert 'image_0.jpg of 64x64 comes out as 64x64, ' in text
    assert 'image_40.jpg of 80x72 comes out as 80x72; expected one size: add Resize or RandomCrop' in text
    assert text.startswith('unlabelled images have different sizes')
    check(paired(second=image_folder(folder, {'type': 'Resize', 'scale': (64, 64)})))
    check(paired(second=image_folder(folder, *CROP)))
    check(paired(second=image_folder(folder)), Net(size=(96, 96)))
    check(paired(second=image_folder(folder)), Net(size=None, size_divisor=32))


def test_sizes_that_the_pipeline_draws_are_told(tmp_path):
    folder = write_images(tmp_path, [(64, 64)] * 9)
    resize = {'type': 'RandomResize', 'scale': (100, 100), 'ratio_range': (1.0, 3.0), 'keep_ratio': True}
    with pytest.raises(DataError, match='unlabelled images have different sizes behind pipeline'):
        check(paired(second=image_folder(folder, resize)))
    check(paired(second=image_folder(folder, resize, *CROP)))


def test_labelled_images_of_other_sizes_are_told():
    first = {'type': 'ConcatDataset', 'datasets': [labeled({'type': 'Resize', 'scale': (64, 64)}), labeled(*CROP)]}
    first['datasets'][0]['size'] = (64, 128)
    first['datasets'][1] = labeled({'type': 'Resize', 'scale': (72, 64)}, num_images=3)
    with pytest.raises(DataError, match=r'labelled images have .*game_000000.png of 64x128 comes out as 64x64, game_'):
        check(paired(first))


def test_both_batches_need_one_size_where_labelled_images_are_pasted():
    dataset = paired(second=unlabeled({'type': 'RandomCrop', 'crop_size': (64, 80)}))
    check(dataset)
    with pytest.raises(DataError, match='labelled batches have 64x64 and unlabelled batches have 64x80 pixels; exp'):
        check(dataset, Net(mix_source='labeled'))
    check(dataset, Net(mix_source='labeled', size=(64, 96)))


def test_sizes_are_read_without_decoding(tmp_path, camvid_root, monkeypatch):
    turned = Image.Exif()
    turned[0x0112] = 6
    folder = write_images(tmp_path, [(30, 50)], exif=turned)
    path = str(folder / 'image_0.jpg')
    assert stored_size({'img_path': path}) == cv2.imread(path).shape[:2] == (50, 30)
    assert stored_size({'img_path': str(camvid_root / 'train/0001TP_006690.png')}) == (360, 480)
    assert stored_size({'seed': 0, 'index': 3, 'size': (64, 96), 'img_path': 'game_000003.png'}) == (64, 96)
    (folder / 'text.jpg').write_text('no image')
    assert stored_size({'img_path': str(folder / 'text.jpg')}) is None
    assert stored_size({'img_path': 's3://bucket/x.png'}) is None


def test_each_size_comes_before_a_second_of_any():
    groups = {(1, 1): [('a', n) for n in range(20)], (2, 2): [('b', 0)], (3, 3): [('c', 0), ('c', 1)]}
    chosen = [(base, position) for _, base, position in choose_samples(groups, 6)]
    assert chosen == [('a', 0), ('b', 0), ('c', 0), ('a', 1), ('c', 1), ('a', 2)]
    assert len(list(choose_samples({(n, n): [('x', n)] for n in range(1000)}, 8))) == 8
    sizes = by_size(paired().labeled, 'labelled')
    assert {size: len(jobs) for size, jobs in sizes.items()} == {(64, 96): 6}


def test_random_states_are_left_as_they_were():
    def draws():
        return random.random(), np.random.rand(), torch.rand(1).item()

    def seed():
        random.seed(5), np.random.seed(5), torch.manual_seed(5)

    def draw_too(results):
        draws()
        return results

    dataset = paired(labeled(draw_too, *CROP), unlabeled(draw_too, *CROP))
    good, hook = make_runner(dataset), PairedDataCheckHook()
    bad = make_runner(paired(labeled(draw_too, void, *CROP)))
    seed()
    expected = draws()
    seed()
    hook.before_train(good)
    assert draws() == expected
    seed()
    with pytest.raises(DataError, match='none of the first'):
        hook.before_train(bad)
    assert draws() == expected


def test_batches_without_a_label_are_told_once_and_counted(caplog):
    dataset = paired(labeled(*CROP), unlabeled(*CROP))
    empty = paired(labeled(void, *CROP), unlabeled(*CROP))
    hook, runner = PairedDataCheckHook(), make_runner()
    one_labelled = pseudo_collate([empty[0, 0], dataset[1, 1]])
    none = pseudo_collate([empty[2, 0], empty[3, 1]])
    # a single labelled pixel, away from those that are looked at first
    pixel = pseudo_collate([empty[2, 0], empty[3, 1]])
    pixel['data_samples']['labeled'][1].gt_sem_seg.data[0, 33, 21] = 4
    for runner.iter, batch in enumerate([one_labelled, pixel, none, one_labelled, none, none]):
        hook.before_train_iter(runner, runner.iter, batch)
    assert [record.message for record in caplog.records] == [
        'PairedDataCheckHook: no labelled pixel in the batch of iteration 3 (game_000002.png, game_000003.png); its '
        'supervised loss is 0. Further ones are counted, not told'
    ]
    hook.after_train(runner)
    assert caplog.records[-1].message == 'PairedDataCheckHook: 3 batches of this run had no labelled pixel'


def test_options():
    with pytest.raises(ValueError, match='num_samples=0, expected at least 1'):
        PairedDataCheckHook(num_samples=0)
