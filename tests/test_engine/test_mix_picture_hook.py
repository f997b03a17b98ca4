"""MixPictureHook with pictures whose colours are known."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.visualization import LocalVisBackend, Visualizer
from mmseg.models import SegDataPreProcessor

from mmssl.engine.hooks.mix_picture_hook import MixPictureHook
from mmssl.models.segmentors.mix_record import MixRecord
from mmssl.visualization.contact_sheet import LINE, MARGIN
from mmssl.visualization.mix_picture import GAP

CLASSES, PALETTE = ('road', 'sky'), ([10, 20, 30], [40, 50, 60])
SIDE, HEIGHT = 16, 240


def make_record(preprocessor, batch: int) -> MixRecord:
    """A is red where B is blue; every pixel of A is sky and is pasted into the left half."""
    colours = {'A': (0, 0, 250), 'B': (250, 0, 0)}  # BGR, as loaded
    loaded = {
        name: [torch.tensor(colour, dtype=torch.uint8).view(3, 1, 1).expand(3, SIDE, SIDE)] * batch
        for name, colour in colours.items()
    }
    first, second = (preprocessor({'inputs': loaded[name]})['inputs'] for name in 'AB')
    mask = torch.zeros(batch, SIDE, SIDE, dtype=torch.bool)
    mask[..., : SIDE // 2] = True
    labels = mask.long()
    return MixRecord(
        first_images=first,
        second_images=second,
        mixed_images=torch.where(mask[:, None], first, second),
        mask=mask,
        mixed_target=labels,
        mixed_weight=mask.float(),
        pseudo_labels=labels,
        confidence=mask.float(),
        probabilities=torch.zeros(batch, 2, SIDE, SIDE),
        student_logits=torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(batch, 2, SIDE, SIDE),
        data_samples=[],
    )


@pytest.fixture
def run(tmp_path):
    """Runs iterations of a model that mixes from ``burn_in`` on; returns the pictures by iteration."""
    count = 0

    def run(hook, iterations: int, *, burn_in: int = 0, batch: int = 3, nested: bool = False, **normalisation):
        nonlocal count
        count += 1
        preprocessor = SegDataPreProcessor(**normalisation)
        model = SimpleNamespace(
            wants_record=False,
            record=None,
            data_preprocessor=SimpleNamespace(branch=preprocessor) if nested else preprocessor,
        )
        runner = SimpleNamespace(
            model=model,
            iter=0,
            visualizer=Visualizer(
                name=f'{tmp_path.name}-{count}', vis_backends=[LocalVisBackend(str(tmp_path / str(count)))]
            ),
            train_dataloader=SimpleNamespace(
                dataset=SimpleNamespace(metainfo={'classes': CLASSES, 'palette': PALETTE})
            ),
        )
        hook.before_train(runner)
        asked = []
        for runner.iter in range(iterations):
            hook.before_train_iter(runner, runner.iter)
            asked.append(model.wants_record)
            mixes = model.wants_record and runner.iter >= burn_in
            model.record, model.wants_record = make_record(preprocessor, batch) if mixes else None, False
            hook.after_train_iter(runner, runner.iter)
        pictures = {
            int(path.stem.removeprefix('mix_')): cv2.imread(str(path))[..., ::-1]
            for path in (tmp_path / str(count) / 'vis_image').glob('mix_*.png')
        }
        return pictures, asked

    return run


def pixel(picture: np.ndarray, column: int, x: int, row: int = 0) -> list[int]:
    """In the panel of a column and row, at half of its height; two lines of text are above."""
    y = MARGIN + 2 * LINE + row * (HEIGHT + GAP) + HEIGHT // 2
    return picture[y, MARGIN + column * (HEIGHT + GAP) + x].tolist()


def test_the_first_mixed_batch_and_every_interval(run):
    pictures, asked = run(MixPictureHook(interval=4), 9, burn_in=2)
    assert sorted(pictures) == [3, 4, 8]
    assert asked == [True, True, True, True, False, False, False, True, False]


@pytest.mark.parametrize('nested', [False, True])
@pytest.mark.parametrize(
    'normalisation',
    [
        {'mean': [120.0, 110.0, 100.0], 'std': [60.0, 50.0, 40.0], 'bgr_to_rgb': True},
        {'mean': [120.0, 110.0, 100.0], 'std': [60.0, 50.0, 40.0]},
        {},
    ],
)
def test_colours_are_those_of_the_files(run, normalisation, nested):
    pictures, _ = run(MixPictureHook(), 1, nested=nested, **normalisation)
    picture = pictures[1]
    left, right = 20, HEIGHT - 20
    red, blue = [250, 0, 0], [0, 0, 250]
    assert [pixel(picture, 0, x) for x in (left, right)] == [red, red]
    assert [pixel(picture, 1, x) for x in (left, right)] == [blue, blue]
    assert [pixel(picture, 2, x) for x in (left, right)] == [[255] * 3, [0] * 3]
    assert [pixel(picture, 3, x) for x in (left, right)] == [red, blue]
    assert [pixel(picture, 4, x) for x in (left, right)] == [PALETTE[1], PALETTE[0]]
    assert [pixel(picture, 5, x) for x in (left, right)] == [PALETTE[1], PALETTE[1]]
    assert pixel(picture, 3, left, row=1) == red


def test_number_of_rows(run):
    heights = [run(MixPictureHook(num_images=n), 1, batch=3)[0][1].shape[0] for n in (1, 2, 3, 4)]
    assert np.diff(heights).tolist() == [HEIGHT + GAP, HEIGHT + GAP, 0]


def test_pictures_come_from_the_main_process_only(run, monkeypatch):
    monkeypatch.setattr('mmssl.engine.hooks.mix_picture_hook.is_main_process', lambda: False)
    assert run(MixPictureHook(interval=1), 3) == ({}, [False] * 3)


def test_bad_options():
    with pytest.raises(ValueError, match='interval=0, num_images=2, expected numbers from 1'):
        MixPictureHook(interval=0)
    with pytest.raises(ValueError, match='leaves no record'):
        MixPictureHook().before_train(SimpleNamespace(model=SimpleNamespace()))
