"""The measurement of background removal beside mmdet's own inference."""

import importlib.util

import cv2
import pytest
from cutout_cases import picture, write_checkpoint, write_coco, write_recipe


@pytest.fixture
def tool(repository):
    spec = importlib.util.spec_from_file_location('cutout_speed', repository / 'tools/analysis_tools/cutout_speed.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_way_gets_the_same_images(tool, repository, tmp_path, monkeypatch, capsys):
    write_coco(tmp_path)
    config = write_recipe(repository, tmp_path)
    checkpoint = write_checkpoint(config, tmp_path / 'a.pth')
    (tmp_path / 'folder').mkdir()
    for index in range(5):
        cv2.imwrite(str(tmp_path / f'folder/{index}.png'), picture(index))
    seen = []

    def detect(model, group):
        seen.append([image[0, 0].tolist() for image in group])

    monkeypatch.setattr(tool, 'inference_detector', detect)
    arguments = [str(config), str(checkpoint), str(tmp_path / 'folder'), '--images', '4', '--rounds', '1']
    ratios = tool.main([*arguments, '--batch-sizes', '1', '2', '--backgrounds', 'black', 'blur', '--clock', 'cpu'])
    ours = [f'{background}, batches of {size}' for size in (1, 2) for background in ('black', 'blur')]
    assert list(ratios) == ['inference_detector', *ours]
    assert ratios['inference_detector'] == 1
    # Two groups of two images: once to warm up, once timed.
    corners = [picture(index)[0, 0].tolist() for index in range(4)]
    assert seen == [corners[:2], corners[2:]] * 2
    assert '4 images, 1 rounds, cpu' in capsys.readouterr().out
