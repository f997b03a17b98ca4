"""Training looks at no mask of an unlabelled image: deleted, present or noise, the weights are the same bit by bit."""

import cv2
import numpy as np
import pytest
import torch
from test_mean_teacher_hook import Watch, differing, make_runner, segmentor_cfg, semi_cfg

pytestmark = pytest.mark.usefixtures('mmseg_scope')
SIZE = (64, 96)


@pytest.fixture
def camvid(camvid_root, tmp_path):
    """Lists of four labelled and four unlabelled images; and the latter in a folder of their own, with noise masks."""
    rng = np.random.default_rng(0)
    names = [path.stem for path in sorted((camvid_root / 'train').iterdir())]
    lists = {'labeled': names[:4], 'unlabeled': names[100:104], 'others': names[200:204]}
    for side, part in lists.items():
        (tmp_path / f'{side}.txt').write_text('\n'.join(part))
    for folder in ('train', 'trainannot'):
        (tmp_path / 'noise' / folder).mkdir(parents=True)
    for name in lists['unlabeled']:
        (tmp_path / f'noise/train/{name}.png').symlink_to((camvid_root / f'train/{name}.png').resolve())
        noise = rng.integers(0, 12, (360, 480), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / f'noise/trainannot/{name}.png'), noise)
    return camvid_root, tmp_path


def pairs(camvid, kind: str) -> dict:
    """Pairs of CamVid; what differs is whether the unlabelled side has masks, and which."""
    root, folder = camvid
    random = [
        {'type': 'Resize', 'scale': (SIZE[1], SIZE[0])},
        {'type': 'RandomFlip', 'prob': 0.5},
        {'type': 'RandomRotate', 'prob': 0.7, 'degree': 20},
    ]
    labeled = {
        'type': 'mmssl.CamVidDataset',
        'data_root': str(root),
        'ann_file': str(folder / 'labeled.txt'),
        'pipeline': [
            {'type': 'mmssl.LoadImage'},
            {'type': 'mmssl.LoadSegAnnotations'},
            *random,
            {'type': 'PackSegInputs'},
        ],
    }
    masks = kind in ('masks', 'noise')
    unlabeled = {
        'type': 'mmssl.CamVidDataset' if masks else 'mmssl.UnlabeledDataset',
        'data_root': str(folder / 'noise' if kind == 'noise' else root),
        'ann_file': str(folder / ('others.txt' if kind == 'other images' else 'unlabeled.txt')),
        'pipeline': [
            {'type': 'mmssl.LoadImage'},
            *([{'type': 'mmssl.LoadSegAnnotations'}] if masks else []),
            {'type': 'mmssl.MarkValidRegion'},
            *random,
            {'type': 'mmssl.PackUnlabeledInputs', 'keep_masks': masks},
        ],
    }
    if not masks:
        unlabeled.update(data_prefix={'img_path': 'train'}, img_suffix='.png')
    return {'type': 'mmssl.PairedDataset', 'labeled': labeled, 'unlabeled': unlabeled}


def trained(camvid, kind: str, mix_source: str) -> tuple[Watch, list[float]]:
    """Three iterations; with masks their statistics are asked for too, as a user may."""
    compare = kind in ('masks', 'noise')
    scores = []
    watch = Watch()
    after = watch.after_train_iter

    def keep_score(runner, *args, **kwargs):
        after(runner, *args, **kwargs)
        if compare:
            scores.append(runner.message_hub.get_scalar('train/pseudo/mIoU').current())

    watch.after_train_iter = keep_score
    runner = make_runner(
        camvid[1],
        {'type': 'mmssl.PairedDataCheckHook'},
        {'type': 'mmssl.PseudoLabelHook', 'interval': 1, 'compare_with_masks': compare},
        watch,
        model=semi_cfg(
            segmentor_cfg(num_classes=11, size=SIZE),
            mix_source=mix_source,
            augmentations=[{'type': 'mmssl.BatchColorJitter'}, {'type': 'mmssl.BatchGaussianBlur'}],
        ),
        dataset=pairs(camvid, kind),
        sampler={'type': 'mmssl.PairedInfiniteSampler'},
        iters=3,
    )
    runner.train()
    return watch, scores


@pytest.mark.parametrize('mix_source', ['unlabeled', 'labeled'])
def test_masks_of_unlabelled_images_change_nothing(camvid, mix_source):
    without, _ = trained(camvid, 'no masks', mix_source)
    assert all(losses['loss_unlabeled'] > 0 for losses in without.losses)
    scores = {}
    for kind in ('masks', 'noise'):
        watch, scores[kind] = trained(camvid, kind, mix_source)
        assert watch.losses == without.losses
        for one, other in zip(watch.after, without.after, strict=True):
            assert differing(one, other) == []
    # The masks were there: pseudo-labels were compared with them, and noise is not the truth.
    assert len(scores['masks']) == 3
    assert all(one != other for one, other in zip(scores['masks'], scores['noise'], strict=True))


def test_the_images_themselves_do_count(camvid):
    one, other = (trained(camvid, kind, 'unlabeled')[0] for kind in ('no masks', 'other images'))
    assert one.losses[0]['decode.loss_ce'] == other.losses[0]['decode.loss_ce']
    assert one.losses[0]['loss_unlabeled'] != other.losses[0]['loss_unlabeled']
    changed = differing(one.after[0], other.after[0])
    assert len([name for name in changed if name.startswith('student.') and name.endswith('weight')]) > 50


def test_rotated_corners_are_not_learned_from(camvid):
    """What the pipeline filled in is ignored in the target, in this run too."""
    watch = Watch()
    seen = []

    def ask(runner, *args, **kwargs):
        runner.model.wants_record = True

    def keep(runner, *args, **kwargs):
        record = runner.model.record
        regions = torch.stack([sample.valid_region.data[0] for sample in record.data_samples])
        seen.append((regions, record.pseudo_labels == 255))

    watch.before_train_iter, watch.after_train_iter = ask, keep
    make_runner(
        camvid[1],
        watch,
        model=semi_cfg(segmentor_cfg(num_classes=11, size=SIZE)),
        dataset=pairs(camvid, 'no masks'),
        iters=3,
    ).train()
    assert any(ignored.any() for _, ignored in seen)
    assert all(torch.equal(~region, ignored) for region, ignored in seen)
