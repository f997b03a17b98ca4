"""What the tools do before a Runner is built, whatever started them."""

import torch
from mmengine.config import Config

from mmssl.compat import allow_mmengine_checkpoints


def prepare_launch(cfg: Config) -> None:
    """Make ``cfg`` and this process ready for mmengine's Runner.

    Args:
        cfg: configuration with ``launcher`` set; changed in place for a distributed run without an accelerator.
    """
    allow_mmengine_checkpoints()
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        from mmssl.apis.cpu_distributed import prepare_cpu_distributed

        prepare_cpu_distributed(cfg)
