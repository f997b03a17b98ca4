"""What the tests of background removal share: a predictor by hand, a tiny Mask R-CNN and tiny annotations of COCO."""

import json
from pathlib import Path

import cv2
import numpy as np
import torch

from mmssl.apis.mask_prediction import Instances

CLASSES = ('person', 'bicycle', 'car')
RECIPE = """
_base_ = ['{root}/configs/_base_/mask_rcnn_small.py']
data_root = '{data}/'
metainfo = dict(classes=('person', 'bicycle', 'car'))
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=3), mask_head=dict(num_classes=3)),
    test_cfg=dict(rpn=dict(max_per_img=20), rcnn=dict(score_thr=0.0, max_per_img=6)))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(
        metainfo=metainfo, data_root=data_root, ann_file='ann.json', data_prefix=dict(img='images/'),
        pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='mmssl.CutoutSimilarityMetric', score_thr=0.3)
test_evaluator = val_evaluator
"""
# Image to instances: class, top, bottom, left, right, crowd.
OBJECTS = {
    'a.png': [('person', 8, 40, 10, 50, 0), ('car', 20, 30, 40, 60, 0)],
    'b.png': [('bicycle', 0, 24, 0, 32, 0), ('person', 30, 44, 5, 60, 1)],
    'c.png': [('person', 10, 20, 10, 20, 1)],  # a crowd alone
    'd.png': [('car', 5, 45, 5, 60, 0)],
    'e.png': [],
}
SIZE = (48, 64)


class HandPredictor:
    """Finds what ``find`` returns for an image: a list of (mask, class id)."""

    classes = CLASSES

    def __init__(self, find):
        self.find = find
        self.batches = []

    def prepare(self, image):
        return {'image': image}

    def predict(self, prepared):
        self.batches.append(len(prepared))
        found = []
        for sample in prepared:
            pairs = self.find(sample['image'])
            masks = [torch.from_numpy(mask)[None] for mask, _ in pairs]
            shape = sample['image'].shape[:2]
            masks = torch.cat([torch.zeros(0, *shape, dtype=torch.bool), *masks])
            found.append(Instances(masks, torch.ones(len(pairs)), torch.tensor([i for _, i in pairs]).long()))
        return found


def picture(seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) uint8 of random colours from 1 to 255."""
    return np.random.default_rng(seed).integers(1, 256, (*size, 3), dtype=np.uint8)


def true_mask(name: str) -> np.ndarray:
    """Union of the instances of an image, crowds left out."""
    mask = np.zeros(SIZE, dtype=bool)
    for _, top, bottom, left, right, crowd in OBJECTS[name]:
        if not crowd:
            mask[top:bottom, left:right] = True
    return mask


def run_lengths(mask: np.ndarray) -> dict:
    """Uncompressed run lengths of COCO: columns first, zeros first."""
    flat = np.concatenate([[0], mask.T.ravel().astype(np.int8), [2]])
    starts = np.flatnonzero(np.diff(flat))
    return {'size': list(mask.shape), 'counts': np.diff(np.concatenate([[0], starts])).tolist()}


def write_coco(folder: Path) -> Path:
    """Five images and their annotations below ``folder``; returns the annotation file."""
    (folder / 'images').mkdir(parents=True)
    annotations = []
    for index, (name, objects) in enumerate(OBJECTS.items()):
        cv2.imwrite(str(folder / 'images' / name), picture(index))
        for kind, top, bottom, left, right, crowd in objects:
            mask = np.zeros(SIZE, dtype=bool)
            mask[top:bottom, left:right] = True
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': index,
                    'category_id': CLASSES.index(kind) + 1,
                    'bbox': [left, top, right - left, bottom - top],
                    'area': int(mask.sum()),
                    'iscrowd': crowd,
                    'segmentation': run_lengths(mask),
                }
            )
    images = [{'id': i, 'file_name': n, 'height': SIZE[0], 'width': SIZE[1]} for i, n in enumerate(OBJECTS)]
    categories = [{'id': i + 1, 'name': name} for i, name in enumerate(CLASSES)]
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    (folder / 'ann.json').write_text(json.dumps(content))
    return folder / 'ann.json'


def write_recipe(repository: Path, folder: Path) -> Path:
    """A recipe of a tiny Mask R-CNN that tests on ``write_coco(folder)``."""
    path = folder / 'tiny.py'
    path.write_text(RECIPE.format(root=repository, data=folder))
    return path


def write_checkpoint(config: Path, path: Path, seed: int = 0) -> Path:
    """Random weights whose class scores are spread, so that thresholds matter."""
    from mmssl.apis.any_model import build_model
    from mmssl.apis.config import load_config

    torch.manual_seed(seed)
    model = build_model(load_config(str(config)), str(config), 'mmdet')
    model.init_weights()
    model.roi_head.bbox_head.fc_cls.weight.data.mul_(60)
    torch.save({'meta': {'dataset_meta': {'classes': CLASSES}}, 'state_dict': model.state_dict()}, path)
    return path
