"""The metric on samples by hand, in a test loop of mmdet, and on two ranks."""

import json
import math

import cv2
import numpy as np
import pytest
import torch
from cutout_cases import CLASSES, OBJECTS, SIZE, picture, true_mask, write_checkpoint, write_coco, write_recipe
from mmdet.structures.mask import BitmapMasks, PolygonMasks

from mmssl.errors import DataError
from mmssl.evaluation import CutoutSimilarityMetric
from mmssl.evaluation.cutouts import compare_cutouts


def rectangle(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


TRUE = [(rectangle(4, 20, 4, 20), 0), (rectangle(30, 40, 10, 60), 2)]
FOUND = [(rectangle(6, 22, 4, 20), 0, 0.9), (rectangle(0, 48, 0, 30), 1, 0.4), (rectangle(30, 40, 20, 64), 2, 0.6)]


def sample(path, found=FOUND, true=TRUE) -> dict:
    predicted = torch.from_numpy(np.array([mask for mask, *_ in found]).reshape(-1, *SIZE).astype(bool))
    return {
        'img_path': str(path),
        'pred_instances': {
            'masks': predicted,
            'labels': torch.tensor([label for _, label, _ in found]).long(),
            'scores': torch.tensor([score for *_, score in found]),
        },
        'gt_instances': {
            'masks': BitmapMasks([mask.astype(np.uint8) for mask, _ in true], *SIZE),
            'labels': torch.tensor([label for _, label in true]).long(),
        },
    }


@pytest.fixture
def image_path(tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), picture(0))
    return tmp_path / 'a.png'


def evaluate(samples, **options) -> dict:
    metric = CutoutSimilarityMetric(**options)
    metric.dataset_meta = {'classes': CLASSES}
    for each in samples:
        metric.process({}, [each])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize(
    ('options', 'found', 'true'),
    [
        ({}, [0, 2], [0, 1]),
        ({'score_thr': 0}, [0, 1, 2], [0, 1]),
        ({'score_thr': 0.6}, [0], [0, 1]),  # above, not at
        ({'score_thr': 0.59}, [0, 2], [0, 1]),
        ({'instances': 'largest'}, [2], [1]),
        ({'instances': 'largest', 'score_thr': 0.1}, [1], [1]),
        ({'instances': ['person']}, [0], [0]),
        ({'instances': ['person', 'car']}, [0, 2], [0, 1]),
    ],
)
def test_one_image(image_path, options, found, true):
    masks = np.any([FOUND[i][0] for i in found], axis=0), np.any([TRUE[i][0] for i in true], axis=0)
    cosine, iou = compare_cutouts(picture(0), *masks)
    assert evaluate([sample(image_path)], **options) == {
        'cutout/cosine': round(cosine, 4),
        'cutout/iou': round(iou, 4),
        'cutout/images': 1,
        'cutout/left_out': 0,
    }


def test_values_by_hand(tmp_path):
    image = np.full((*SIZE, 3), 10, dtype=np.uint8)
    image[:24] = 20
    cv2.imwrite(str(tmp_path / 'two.png'), image)
    # 4 rows of 20 and 4 of 10 are true, the 4 of 10 and 4 more of 10 are found: 400 / sqrt(2000 * 800).
    pair = [(rectangle(24, 32, 0, 64), 0, 0.9)], [(rectangle(20, 28, 0, 64), 0)]
    # The second image is missed, the third exact.
    missed = sample(tmp_path / 'two.png', [], pair[1])
    exact = sample(tmp_path / 'two.png', [(pair[1][0][0], 0, 0.9)], pair[1])
    values = evaluate([sample(tmp_path / 'two.png', *pair), missed, exact])
    assert values['cutout/cosine'] == pytest.approx((100 * 400 / math.sqrt(2000 * 800) + 0 + 100) / 3, abs=1e-4)
    assert values['cutout/iou'] == pytest.approx((100 / 3 + 0 + 100) / 3, abs=1e-4)


def test_images_without_an_instance_are_left_out(image_path):
    both = evaluate([sample(image_path), sample(image_path, FOUND, []), sample(image_path)])
    assert both == {**evaluate([sample(image_path)] * 2), 'cutout/left_out': 1}
    of_class = evaluate([sample(image_path)], instances=['bicycle'])
    assert math.isnan(of_class['cutout/cosine']) and math.isnan(of_class['cutout/iou'])
    assert (of_class['cutout/images'], of_class['cutout/left_out']) == (0, 1)


def test_polygons_are_the_same_as_bitmaps(image_path):
    polygons = sample(image_path)
    corners = [[np.array([4, 4, 20, 4, 20, 20, 4, 20.0])], [np.array([10, 30, 60, 30, 60, 40, 10, 40.0])]]
    polygons['gt_instances']['masks'] = PolygonMasks(corners, *SIZE)
    assert evaluate([polygons]) == evaluate([sample(image_path)])


def test_faults(image_path, tmp_path):
    with pytest.raises(ValueError, match='^score_thr is 1.5, expected 0 to 1$'):
        CutoutSimilarityMetric(score_thr=1.5)
    with pytest.raises(ValueError, match="^instances is 'most', expected all, largest or names"):
        CutoutSimilarityMetric(instances='most')
    metric = CutoutSimilarityMetric(instances=['person', 'cat'])
    with pytest.raises(ValueError, match="^unknown class 'cat', expected some of person, bicycle, car$"):
        metric.dataset_meta = {'classes': CLASSES}
    with pytest.raises(DataError, match=r'none.png: no such file or not a readable image'):
        evaluate([sample(tmp_path / 'none.png')])
    cv2.imwrite(str(tmp_path / 'large.png'), picture(0, (96, 128)))
    with pytest.raises(DataError, match=r'large.png: predicted masks of \(48, 64\), expected the size \(96, 128\)'):
        evaluate([sample(tmp_path / 'large.png')])
    resized = sample(image_path)
    resized['gt_instances']['masks'] = BitmapMasks(np.ones((2, 24, 32), np.uint8), 24, 32)
    with pytest.raises(DataError, match=r'true masks of \(24, 32\).*; LoadAnnotations belongs behind Resize'):
        evaluate([resized])
    for key in ('pred_instances', 'gt_instances'):
        bare = sample(image_path)
        del bare[key]['masks']
        with pytest.raises(ValueError, match=f'found no masks in {key}, expected an instance segmentation model'):
            evaluate([bare])


def test_in_tools_test(repository, tmp_path, monkeypatch):
    """The command, with its metrics.json, gives what the same predictor gives outside of it."""
    import importlib.util
    import sys

    from mmssl.apis.background_removal import read_image
    from mmssl.apis.mask_prediction import MaskPredictor
    from mmssl.evaluation.cutouts import union_mask

    write_coco(tmp_path)
    config = write_recipe(repository, tmp_path)
    checkpoint = write_checkpoint(config, tmp_path / 'random.pth')
    spec = importlib.util.spec_from_file_location('tool_test', repository / 'tools/test.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['test.py', str(config), str(checkpoint), '--work-dir', str(tmp_path / 'work')])
    tool.main()
    written = json.loads((tmp_path / 'work/metrics.json').read_text())

    predictor = MaskPredictor(str(config), str(checkpoint), score_thr=0.3)
    values, found = [], 0
    for name in ('a.png', 'b.png', 'd.png'):
        image = read_image(tmp_path / 'images' / name)
        (instances,) = predictor.predict([predictor.prepare(image)])
        found += len(instances.scores)
        values.append(compare_cutouts(image, union_mask(instances.masks, instances.labels).numpy(), true_mask(name)))
    assert found > 0 and len(OBJECTS) == 5
    assert written['cutout/images'] == 3 and written['cutout/left_out'] == 2
    assert written['cutout/cosine'] == pytest.approx(np.mean(values, axis=0)[0], abs=1e-3)
    assert written['cutout/iou'] == pytest.approx(np.mean(values, axis=0)[1], abs=1e-3)
    assert written['cutout/cosine'] > 0


RANKS = """
import json, os, sys
import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmssl.evaluation import CutoutSimilarityMetric

torch.distributed.init_process_group(
    'gloo', init_method=f'file://{sys.argv[1]}/store', rank=int(os.environ['RANK']), world_size=2)
rank, world = get_dist_info()
metric = CutoutSimilarityMetric()
metric.dataset_meta = {'classes': ('a',)}
# As the host's sampler: every second image, the first one again at the end. Image i has its first i columns right.
for index in ([0, 2, 4], [1, 3, 0])[rank]:
    true, found = torch.zeros(2, 1, 48, 64, dtype=torch.bool)
    true[..., : 0 if index == 3 else 40] = True
    found[..., : 10 * index] = True
    metric.process({}, [{
        'img_path': sys.argv[3],
        'gt_instances': {'masks': true, 'labels': torch.zeros(1).long()},
        'pred_instances': {'masks': found, 'labels': torch.zeros(1).long(), 'scores': torch.ones(1)},
    }])
print('RESULT' + json.dumps(metric.evaluate(5)))
"""


def test_two_ranks_agree_with_one(run_on_two_ranks, tmp_path):
    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((*SIZE, 3), 100, np.uint8))
    first, second = run_on_two_ranks(RANKS, tmp_path, tmp_path / 'grey.png')
    results = [json.loads(text.split('RESULT')[1].splitlines()[0]) for text in (first, second)]
    # Of 40 columns 0, 10, 20 and 40 are found; the cosine is the root of the share in a grey image.
    cosine = 100 * (math.sqrt(1 / 4) + math.sqrt(1 / 2) + 1) / 4
    assert results[0] == results[1]
    assert results[0]['cutout/cosine'] == pytest.approx(cosine, abs=1e-4)
    assert results[0]['cutout/iou'] == pytest.approx(100 * (0.25 + 0.5 + 1) / 4, abs=1e-4)
    assert (results[0]['cutout/images'], results[0]['cutout/left_out']) == (4, 1)
