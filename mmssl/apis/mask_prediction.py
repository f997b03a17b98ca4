"""Instances of images that are in memory, predicted by any instance segmentation model of mmdet."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.models.detectors.base import BaseDetector
from mmdet.utils import get_test_pipeline_cfg
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmssl.apis.any_model import build_model, fill_model
from mmssl.apis.config import ConfigError, load_config
from mmssl.apis.data_folders import dataset_configs
from mmssl.errors import DataError, one_line
from mmssl.evaluation.cutouts import check_score_thr
from mmssl.tensor_file import read_state_dict, read_tensor_file


@dataclass(frozen=True)
class Instances:
    """What was found in an image.

    Attributes:
        masks: (N, H, W), bool, at the size of the image.
        scores: (N,), float in 0..1.
        labels: (N,), int64, ids of classes.
    """

    masks: Tensor
    scores: Tensor
    labels: Tensor


class MaskPredictor:
    """Predict instances, as mmdet's ``inference_detector`` does, in batches.

    mmdet's builds its pipeline at every call and predicts one image after the other. Two-stage models are told the
    score threshold: the masks of weaker boxes, which nobody will see, are not made. Non-maximum suppression goes from
    strong to weak, so what stays is the same.

    Args:
        config: config file, or ``package::file`` of a host package.
        checkpoint: file with every tensor of the model.
        score_thr: instances with a score above it are returned, 0..1. One below the model's own does not bring back
            what the model leaves out.
        device: where the model runs.
        options: dotted keys and values that override the config.

    Attributes:
        batched: whether images of a batch are predicted together; set on other devices than a CPU.
        classes: K names, those of the checkpoint or else of the config; None where neither has them.
        model: the model, in evaluation mode.

    Raises:
        FileNotFoundError: config or checkpoint does not exist.
        DataError: the checkpoint is damaged or does not fit the model.
        ValueError: the config has no test pipeline, the model cannot be built, is none of mmdet or has no masks, a
            threshold outside 0..1, or no such device.
    """

    def __init__(
        self,
        config: str,
        checkpoint: str,
        *,
        score_thr: float = 0.5,
        device: str = 'cpu',
        options: dict | None = None,
    ):
        self.config, self.score_thr, self.device = config, check_score_thr(score_thr), usable_device(device)
        cfg = load_config(config, options)
        if isinstance(cfg.get('model'), dict):
            leave_out_weak(cfg.model, score_thr)
        model = build_model(cfg, config, 'mmdet')
        if not isinstance(model, BaseDetector) or (hasattr(model, 'roi_head') and not model.with_mask):
            raise ValueError(f'config {config}: {type(model).__name__} predicts no masks, expected one that does')
        state = read_state_dict(checkpoint, 'checkpoint')
        fill_model(model, state, f'checkpoint {checkpoint}')
        self.batched = self.device.type != 'cpu'
        self.model: nn.Module = model.to(self.device).eval()
        self.classes = checkpoint_classes(checkpoint) or config_classes(cfg)
        self._scope = cfg.get('default_scope', 'mmdet')
        self._pipeline = Compose(array_pipeline(cfg, config))

    def prepare(self, image: np.ndarray) -> dict:
        """Run the test pipeline on one image.

        Args:
            image: (H, W, 3), uint8, BGR.

        Returns:
            ``inputs`` and ``data_samples`` of the model.

        Raises:
            DataError: the pipeline cannot, for example because the image is too narrow to be resized.
        """
        init_default_scope(self._scope)
        try:
            return self._pipeline({'img': image, 'img_id': 0})
        except (cv2.error, ValueError, ZeroDivisionError) as error:
            height, width = image.shape[:2]
            raise DataError(f'the image of {width}x{height} pixels cannot be prepared: {one_line(error)}') from None

    @torch.no_grad()
    def predict(self, prepared: Sequence[dict]) -> list[Instances]:
        """Predict a batch, upright and lying images by themselves: together they would be padded by a third or more.

        Other images than the largest of their kind are padded a little, which can change their result a little. On a
        CPU, where a batch only costs its padding (a tenth of the time), images are predicted one by one.

        Args:
            prepared: what :meth:`prepare` returned for each image.

        Returns:
            Instances of each, strongest first, on the model's device.

        Raises:
            ConfigError: the model does not predict masks.
        """
        found: dict[int, Instances] = {}
        upright = [sample['inputs'].shape[-2] > sample['inputs'].shape[-1] for sample in prepared]
        kinds = upright if self.batched else range(len(prepared))
        for kind in set(kinds):
            indices = [index for index, each in enumerate(kinds) if each == kind]
            batch = {key: [prepared[index][key] for index in indices] for key in ('inputs', 'data_samples')}
            for index, sample in zip(indices, self.model.test_step(batch), strict=True):
                found[index] = self._strong(sample.get('pred_instances'))
        return [found[index] for index in range(len(prepared))]

    def _strong(self, instances: InstanceData | None) -> Instances:
        if instances is None or 'masks' not in instances:
            name = type(self.model).__name__
            raise ConfigError(f'config {self.config}: {name} predicts no masks, expected one that does')
        keep = instances.scores > self.score_thr
        masks = instances.masks if bool(keep.all()) else instances.masks[keep]
        return Instances(masks, instances.scores[keep], instances.labels[keep])


def usable_device(name: str) -> torch.device:
    """The device of a name.

    Raises:
        ValueError: there is none.
    """
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ValueError(f'device {name!r}: not found here, expected cpu, or cuda where there is one') from None
    return device


def leave_out_weak(model: dict, score_thr: float) -> None:
    """Raise the score threshold of a two-stage model in its config, where that changes nothing above it.

    Models that rescore their boxes with the mask's quality (Mask Scoring R-CNN) and other kinds of suppression are
    left alone.
    """
    rcnn = (model.get('test_cfg') or {}).get('rcnn')
    head = model.get('roi_head') or {}
    if not isinstance(rcnn, dict) or 'mask_iou_head' in head or (rcnn.get('nms') or {}).get('type') != 'nms':
        return
    rcnn['score_thr'] = max(rcnn.get('score_thr', 0), score_thr)


def array_pipeline(cfg: Config, source: str) -> list[dict]:
    """The test pipeline for images in memory: it loads neither files nor annotations."""
    if not cfg.get('test_dataloader'):
        raise ValueError(f'config {source}: no test_dataloader, expected its pipeline')
    _, *transforms = get_test_pipeline_cfg(cfg)
    kept = [transform for transform in transforms if 'Annotations' not in str(transform.get('type'))]
    return [{'type': 'mmdet.LoadImageFromNDArray'}, *kept]


def checkpoint_classes(checkpoint: str) -> tuple[str, ...] | None:
    """Names of classes that a checkpoint carries."""
    meta = read_tensor_file(checkpoint, 'checkpoint').get('meta') or {}
    data = {key.lower(): value for key, value in (meta.get('dataset_meta') or meta).items()}
    return tuple(data['classes']) if data.get('classes') else None


def config_classes(cfg: Config) -> tuple[str, ...] | None:
    """Names of classes of the test dataset, without reading its files."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    settings = next(dataset_configs(cfg.test_dataloader.dataset))
    classes = DATASETS.build({**settings, 'lazy_init': True}).metainfo.get('classes')
    return tuple(classes) if classes else None
