"""IoU and AP of each class over runs and seeds."""

import json

import numpy as np
import pytest

from mmssl.apis.class_scores import group_runs, read_class_scores


def write(folder, values):
    folder.mkdir()
    rows = {name: {'IoU': value, 'Acc': 1.0} for name, value in values.items()}
    (folder / 'metrics.json').write_text(json.dumps({'checkpoint': 'x.pth', 'mIoU': 1.0, 'per_class': rows}))
    return folder


def test_seeds_by_hand(tmp_path):
    runs = [
        write(tmp_path / 'a', {'Sky': 90.0, 'Car': 50.0, 'Fence': None}),
        write(tmp_path / 'b', {'Sky': 80.0, 'Car': 60.0, 'Fence': None}),
        write(tmp_path / 'c', {'Sky': 94.0, 'Car': 58.0, 'Fence': 10.0}),
    ]
    ours, base = group_runs(['ours', 'base', 'ours'], runs)
    assert (ours.name, base.name, ours.classes) == ('ours', 'base', ('Sky', 'Car', 'Fence'))
    assert ours.mean.tolist() == [92, 54, 10]
    np.testing.assert_allclose(ours.deviation[:2], [np.sqrt(8), np.sqrt(32)])
    assert np.isnan(ours.deviation[2])  # one seed alone has the class
    mean, deviation = ours.overall  # seeds: (90 + 50) / 2 = 70 and (94 + 58 + 10) / 3 = 54
    assert mean == 62
    assert deviation == pytest.approx(np.sqrt(128))
    assert np.isnan(base.mean[2])
    assert base.overall[0] == 70
    assert np.isnan(base.deviation).all()


def test_file_or_folder(tmp_path):
    run = write(tmp_path / 'a', {'Sky': 90.0})
    assert read_class_scores(run) == read_class_scores(run / 'metrics.json') == {'Sky': 90.0}


def test_other_classes(tmp_path):
    runs = [write(tmp_path / 'a', {'Sky': 1.0, 'Car': 2.0}), write(tmp_path / 'b', {'Sky': 1.0, 'Bus': 2.0})]
    with pytest.raises(ValueError, match=r"b: classes differ .*\['Bus', 'Car'\]"):
        group_runs(['a', 'b'], runs)


@pytest.mark.parametrize(
    'text', ['{', '{"mIoU": 1}', '[]', '{"per_class": {"Sky": {"Acc": 1}}}', '{"per_class": {"a": 1}}']
)
def test_damaged(text, tmp_path):
    (tmp_path / 'metrics.json').write_text(text)
    with pytest.raises(ValueError, match=r'metrics\.json: "per_class"'):
        read_class_scores(tmp_path)
    with pytest.raises(FileNotFoundError, match='none'):
        read_class_scores(tmp_path / 'none')
    with pytest.raises(ValueError, match=r'metrics\.json: "coco/<class>_precision"'):
        (tmp_path / 'metrics.json').write_text('{"coco/segm_mAP": 0.2}')
        read_class_scores(tmp_path, 'AP')
    with pytest.raises(ValueError, match=r"metric 'Acc' found, IoU or AP expected"):
        read_class_scores(tmp_path, 'Acc')
