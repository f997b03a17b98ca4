"""What the tools do before a Runner is built, whatever started them."""

import torch
from mmengine.config import Config

from mmssl.compat import load_checkpoints_safely

DIST_TIMEOUT = 600
"""Seconds that a process waits for the others in a collective; torch has half an hour for gloo.

Longer than rank 0 takes for the metrics of COCO's 5,000 images while the others wait.
"""


def prepare_launch(cfg: Config) -> None:
    """Make ``cfg`` and this process ready for mmengine's Runner.

    Args:
        cfg: configuration with ``launcher`` set; changed in place for a distributed run: a timeout where
            ``env_cfg.dist_cfg`` has none, and what one without an accelerator needs.
    """
    load_checkpoints_safely()
    if cfg.launcher != 'none':
        env_cfg = cfg.get('env_cfg') or {}
        cfg.env_cfg = {**env_cfg, 'dist_cfg': {'timeout': DIST_TIMEOUT, **(env_cfg.get('dist_cfg') or {})}}
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        from mmssl.apis.cpu_distributed import prepare_cpu_distributed

        prepare_cpu_distributed(cfg)
