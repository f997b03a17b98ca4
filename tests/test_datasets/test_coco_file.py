"""Run lengths against pycocotools, and faults of annotations one by one."""

import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from mmssl.datasets.audit import ERROR, WARNING, coco_findings
from mmssl.datasets.audit.coco_file import rle_fault


@pytest.mark.parametrize('density', [0.001, 0.02, 0.5, 0.99])
def test_compressed_run_lengths_of_pycocotools(density):
    rng = np.random.default_rng(0)
    for _ in range(30):
        size = [int(side) for side in rng.integers(1, 300, 2)]
        mask = np.asfortranarray(rng.random(size) < density, dtype=np.uint8)
        text = coco_mask.encode(mask)['counts'].decode()
        assert rle_fault({'size': size, 'counts': text}, tuple(size)) is None
        assert 'run lengths' in rle_fault({'size': size, 'counts': text[:-1]}, tuple(size))
        taller = [size[0] + 1, size[1]]
        assert 'run lengths sum to' in rle_fault({'size': taller, 'counts': text}, tuple(taller))


SQUARE = [2, 2, 8, 2, 8, 8, 2, 8]
CASES = {
    'good': ({}, []),
    'crowd': ({'segmentation': {'size': [20, 30], 'counts': [600]}}, []),
    'no mask': ({'segmentation': []}, [(ERROR, 'mask')]),
    'two points': ({'segmentation': [[1, 1, 5, 5]]}, [(ERROR, 'mask')]),
    'one good polygon': ({'segmentation': [SQUARE, [1, 1, 5, 5]]}, [(WARNING, 'mask')]),
    # pycocotools takes memory by the length of the outline
    'polygon far outside': ({'segmentation': [[0, 0, 1e12, 0, 5, 5]]}, [(ERROR, 'mask')]),
    'lengths too long': ({'segmentation': {'size': [20, 30], 'counts': [300, 301]}}, [(ERROR, 'mask')]),
    'lengths of another size': ({'segmentation': {'size': [30, 20], 'counts': [600]}}, [(ERROR, 'mask')]),
    'box outside': ({'bbox': [30, 2, 6, 6]}, [(ERROR, 'box')]),
    'box beyond the border': ({'bbox': [26, 2, 6, 6]}, [(WARNING, 'box')]),
    'empty box': ({'bbox': [2, 2, 6, 0]}, [(WARNING, 'box')]),
    'box of NaN': ({'bbox': [float('nan'), 2, 6, 6]}, [(ERROR, 'annotations')]),
    'unknown image': ({'image_id': 2}, [(ERROR, 'no image')]),
    'unknown category': ({'category_id': 8}, [(ERROR, 'classes')]),
    'category the dataset does not know': ({'category_id': 7}, [(WARNING, 'classes')]),
}


@pytest.mark.parametrize('case', CASES)
def test_faults_of_an_annotation(tmp_path, case):
    change, expected = CASES[case]
    annotation = {'id': 1, 'image_id': 1, 'category_id': 5, 'area': 36, 'bbox': [2, 2, 6, 6], 'segmentation': [SQUARE]}
    content = {
        'images': [{'id': 1, 'file_name': 'a.jpg', 'height': 20, 'width': 30}],
        'categories': [{'id': 7, 'name': 'c'}, {'id': 5, 'name': 'a'}],
        'annotations': [annotation | change],
    }
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps(content))
    findings = coco_findings(path, ['a'])
    assert [(finding.level, finding.kind) for finding in findings] == expected
    assert all(finding.text.startswith(f'{path}: ') and '\n' not in finding.text for finding in findings)
