"""PixelPictureHook with records whose pictures are known."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.visualization import LocalVisBackend, Visualizer
from mmpretrain.models import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample

from mmssl.engine.hooks import pixel_picture_hook as module
from mmssl.engine.hooks.pixel_picture_hook import PixelPictureHook
from mmssl.models.losses.pixel_consistency import positive_pairs
from mmssl.models.selfsup.pixel_record import PixelRecord
from mmssl.visualization.pixel_similarity import HEAT, heat_colours

HEIGHT = 224
TOP = 10 + 18 + 10 + 18 + 1 + 10 + 18 + 3  # margin, heading, space, titles, rule, space, caption, frame
ROW = 10 + 18 + HEIGHT + 6
RED, BLUE = [250, 0, 0], [0, 0, 250]
NORMALISED = {'mean': [120.0, 110.0, 100.0], 'std': [60.0, 50.0, 40.0]}


def make_record(preprocessor, batch: int, dtype=torch.float32) -> PixelRecord:
    """View 1 is red, view 2 is blue; both show the same box, and features are the same everywhere."""
    loaded = [
        torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).expand(batch, 3, 16, 16).clone()
        for colour in (RED[::-1], BLUE[::-1])  # BGR, as loaded
    ]
    samples = [DataSample(metainfo={'img_path': f'folder/{index}.png'}) for index in range(batch)]
    views = tuple(preprocessor({'inputs': loaded, 'data_samples': samples})['inputs'])
    boxes = torch.tensor([0.0, 0, 80, 80]).expand(batch, 2, 4)
    maps = tuple(torch.ones(batch, 8, 4, 4, dtype=dtype) for _ in range(2))
    return PixelRecord(
        views=views,
        erased=views,
        boxes=boxes,
        affine=torch.eye(2, 3).expand(batch, 2, 2, 3),
        raw=maps,
        online=maps,
        target=maps,
        valid=(None, None),
        pairs=positive_pairs(boxes, (4, 4)),
        data_samples=samples,
    )


@pytest.fixture
def run(tmp_path):
    """Runs iterations; returns the pictures by iteration, and when they were asked for."""
    count = 0

    def run(hook, iterations: int, *, batch: int = 3, record=make_record, **normalisation):
        nonlocal count
        count += 1
        preprocessor = SelfSupDataPreprocessor(**normalisation)
        model = SimpleNamespace(wants_record=False, record=None, data_preprocessor=preprocessor)
        backend = LocalVisBackend(str(tmp_path / str(count)))
        runner = SimpleNamespace(
            model=model, iter=0, visualizer=Visualizer(name=f'{tmp_path.name}-{count}', vis_backends=[backend])
        )
        hook.before_train(runner)
        asked = []
        for runner.iter in range(iterations):
            hook.before_train_iter(runner, runner.iter)
            asked.append(model.wants_record)
            model.record, model.wants_record = record(preprocessor, batch) if model.wants_record else None, False
            hook.after_train_iter(runner, runner.iter)
        pictures = {
            int(path.stem.removeprefix('pixel_views_')): cv2.imread(str(path))[..., ::-1]
            for path in (tmp_path / str(count) / 'vis_image').glob('pixel_views_*.png')
        }
        return pictures, asked

    return run


def test_the_first_iteration_and_every_interval(run):
    pictures, asked = run(PixelPictureHook(interval=4, num_images=1), 9, batch=1)
    assert sorted(pictures) == [1, 4, 8]
    assert asked == [index in (0, 3, 7) for index in range(9)]


@pytest.mark.parametrize('normalisation', [{**NORMALISED, 'to_rgb': True}, NORMALISED, {}], ids=['rgb', 'bgr', 'plain'])
def test_colours_are_those_of_the_files(run, normalisation):
    picture = run(PixelPictureHook(), 1, **normalisation)[0][1]
    left = 10 + 3
    for row in range(2):
        top = TOP + row * ROW
        # Between two lines of cells; 4 rows of cells of 56 pixels.
        assert picture[top + 56, left + 56].tolist() == RED
        assert picture[top + 56, left + HEIGHT + 56].tolist() == BLUE
    # Pairs, two maps of features, similarity; all of the same vector: grey, and a cosine of 1.
    maps = left + 2 * HEIGHT + 6 + 10
    assert (picture[TOP : TOP + HEIGHT, maps : maps + HEIGHT] == 128).all()
    similarity = maps + 2 * (HEIGHT + 6 + 10)
    assert picture[TOP + 10, similarity + 10].tolist() == RED
    expected = np.rint(HEAT * heat_colours(np.ones(1))[0] + (1 - HEAT) * np.array(BLUE))
    assert picture[TOP + 10, similarity + HEIGHT + 10].tolist() == expected.tolist()
    assert picture.shape[1] == similarity + 2 * HEIGHT + 3 + 10


def test_maps_of_half_precision(run):
    whole, half = (
        run(PixelPictureHook(num_images=1), 1, record=lambda *args, kind=kind: make_record(*args, kind))[0][1]
        for kind in (torch.float32, torch.bfloat16)
    )
    assert np.array_equal(whole, half)


def test_number_of_rows(run):
    heights = [run(PixelPictureHook(num_images=n), 1, batch=2)[0][1].shape[0] for n in (1, 2, 3)]
    assert np.diff(heights).tolist() == [ROW, 0]


def test_what_is_handed_over(run, monkeypatch):
    kept = {}

    def keep(*args, **options):
        kept.update(options, args=args)
        return np.zeros((2, 2, 3), np.uint8)

    monkeypatch.setattr(module, 'pixel_picture', keep)
    run(PixelPictureHook(num_images=2, pixel=[1, 3]), 1)
    assert kept['names'] == ['0.png', '1.png']
    assert kept['pixel'] == (1, 3)
    assert kept['heading'] == 'iteration 1'
    assert [one.shape for one in kept['args'][4]] == [(2, 8, 4, 4)] * 2


def test_pictures_come_from_the_main_process_only(run, monkeypatch):
    monkeypatch.setattr(module, 'is_main_process', lambda: False)
    assert run(PixelPictureHook(interval=1), 3) == ({}, [False] * 3)


def test_bad_options(run):
    with pytest.raises(ValueError, match='interval=0, num_images=2, expected numbers from 1'):
        PixelPictureHook(interval=0)
    for pixel in ((1,), (1, -1), (1, 2.0)):
        with pytest.raises(ValueError, match=r'pixel=\(1.*, expected \(row, column\), whole numbers from 0'):
            PixelPictureHook(pixel=pixel)
    with pytest.raises(ValueError, match='PixelPictureHook: SimpleNamespace leaves no record, expected mmssl.PixPro'):
        PixelPictureHook().before_train(SimpleNamespace(model=SimpleNamespace()))
    with pytest.raises(ValueError, match=r'PixelPictureHook: pixel=\(4, 0\) found, .* map of 4x4 cells expected'):
        run(PixelPictureHook(pixel=(4, 0)), 1)
    with pytest.raises(ValueError, match='SimpleNamespace leaves a str, expected mmssl.PixPro'):
        run(PixelPictureHook(), 1, record=lambda *_: 'a record of another model')
