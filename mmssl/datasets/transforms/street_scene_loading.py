"""Renders the scenes of :class:`StreetScenesDataset`."""

import numpy as np
from mmcv.transforms import BaseTransform

from mmssl.datasets.rendering import IGNORED, render_street_scene
from mmssl.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadStreetScene(BaseTransform):
    """Render a street scene; it stands where a file dataset loads its image and mask.

    Required keys: ``seed``, ``index``, ``style``, ``size``; ``label_map`` and ``seg_fields`` with labels.

    Added keys: ``img`` (H, W, 3) uint8 BGR, ``img_shape``, ``ori_shape``; with labels ``gt_seg_map`` (H, W) uint8,
    classes 0..10 and 255 for ignored pixels; with instances ``gt_instance_map`` (H, W) int32, 0 for none and
    1, 2, ... for the cars, pedestrians and bicyclists. The maps are entered in ``seg_fields``, so that mmseg's
    geometric transforms move them with the image.

    Args:
        with_labels (bool): Whether to give ``gt_seg_map``; False for unlabelled images.
        with_instances (bool): Whether to give ``gt_instance_map``.

    Raises:
        ValueError: Instances are asked for without labels.
    """

    def __init__(self, *, with_labels: bool = True, with_instances: bool = False) -> None:
        if with_instances and not with_labels:
            raise ValueError('LoadStreetScene: with_instances=True needs with_labels=True, found with_labels=False')
        self.with_labels = with_labels
        self.with_instances = with_instances

    def transform(self, results: dict) -> dict:
        """Render the scene that ``results`` asks for."""
        missing = [key for key in ('seed', 'index', 'style', 'size') if key not in results]
        if missing:
            raise ValueError(f'LoadStreetScene: the sample has no {missing}, expected one of StreetScenesDataset')
        scene = render_street_scene(results['seed'], results['index'], results['size'], results['style'])
        results['img'] = scene.image
        results['img_shape'] = results['ori_shape'] = scene.image.shape[:2]
        if self.with_labels:
            results['gt_seg_map'] = relabel(scene.semantic, results.get('label_map'))
            results['seg_fields'].append('gt_seg_map')
        if self.with_instances:
            results['gt_instance_map'] = scene.instances
            results['seg_fields'].append('gt_instance_map')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(with_labels={self.with_labels}, with_instances={self.with_instances})'


def relabel(semantic: np.ndarray, label_map: dict | None) -> np.ndarray:
    """Apply a dataset's map from its own to the chosen classes.

    Args:
        semantic (np.ndarray): (H, W) uint8, class ids, 255 for ignored pixels.
        label_map (dict, optional): Old id to new id; ids that it does not name stay.

    Returns:
        np.ndarray: (H, W) uint8.
    """
    if not label_map:
        return semantic
    table = np.arange(IGNORED + 1, dtype=np.uint8)
    table[list(label_map.keys())] = list(label_map.values())
    return table[semantic]
