"""Backbone and projector as one network (S1, section 3.1)."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor

from mmssl.registry import MODELS


class PixelEncoder(BaseModule):
    """Images to maps of projected pixels: the online encoder of PixPro, and its target.

    Args:
        backbone: config of any backbone of mmpretrain or of ours that keeps the map, such as ``ResNet``.
        neck: config of the projector, ``mmssl.ConvProjector``.
        norm_cfg: replaces the ``norm_cfg`` of both; ``eps`` is theirs unless it is named. None leaves them as they are.

    Raises:
        ValueError: a backbone or neck without a ``norm_cfg`` to replace.
    """

    def __init__(self, backbone: dict, neck: dict, norm_cfg: dict | None = None) -> None:
        super().__init__()
        self.backbone = MODELS.build(_with_norm(backbone, norm_cfg))
        self.neck = MODELS.build(_with_norm(neck, norm_cfg))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W), float -> (B, C, h, w), float.

        Raises:
            ValueError: backbone or neck give something else, such as a vector for each image.
        """
        maps = self.backbone(images)
        _check_map(self.backbone, maps)
        projections = self.neck(maps)
        _check_map(self.neck, projections)
        return projections if isinstance(projections, Tensor) else projections[-1]


def _check_map(module: BaseModule, out: Tensor | Sequence[Tensor]) -> None:
    last = out if isinstance(out, Tensor) else out[-1]
    if last.dim() != 4:
        raise ValueError(
            f'PixPro: {type(module).__name__} gives {tuple(last.shape)}, expected maps (B, C, h, w), such as those of '
            "out_type='featmap'"
        )


def _with_norm(cfg: dict, norm_cfg: dict | None) -> dict:
    """A config with another norm, of the same eps."""
    if norm_cfg is None:
        return cfg
    if 'norm_cfg' not in cfg:
        raise ValueError(f'{cfg["type"]} has no norm_cfg to replace, expected it in the config of backbone and neck')
    old = {key: value for key, value in cfg['norm_cfg'].items() if key == 'eps'}
    return {**cfg, 'norm_cfg': {**old, **norm_cfg}}
