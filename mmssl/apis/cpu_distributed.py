"""Several processes on a machine without an accelerator: mmengine's Runner over gloo."""

import atexit
import datetime
import gc
import os
import re
import subprocess

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from torch import distributed, nn

from mmssl.apis.sync_norm import sync_norm_to_norm

# Where each launcher leaves the rank, the number of processes and the rank within the node.
RANK_VARIABLES = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


@MODEL_WRAPPERS.register_module(force=True)
class CPUDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper, also for models with SyncBN that stands in no config: mmpretrain's ``NonLinearNeck`` has it.

    Args:
        module: the model; its SyncBN becomes BN.
        kwargs: as of ``MMDistributedDataParallel``.
    """

    def __init__(self, module: nn.Module, **kwargs) -> None:
        super().__init__(module=revert_sync_batchnorm(module), **kwargs)


def prepare_cpu_distributed(cfg: Config) -> Config:
    """Opens a gloo process group and fits a config to it; called before the Runner is built.

    mmengine 0.10.7 opens a process group itself only after ``torch.cuda.set_device``, which fails without CUDA; it
    leaves a group alone that is open already, and takes rank and world size from it (also for the seed that rank 0
    draws and the indices of the samplers). It also passes the device of each rank to DistributedDataParallel, which
    on a CPU has to be None.

    Args:
        cfg: the whole config with ``launcher`` ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``. Changed in place:
            the backend is gloo, ``model_wrapper_cfg`` has ``device_ids=None`` and keeps what else was set,
            ``find_unused_parameters`` moves into it, SyncBN becomes BN as SyncBN has no CPU kernel, and ``sync_bn``
            becomes None.

    Returns:
        The same config.

    Raises:
        ValueError: an unknown launcher, or the launcher's environment variables are missing or no numbers.
    """
    rank = _read_environment(cfg.get('launcher', 'pytorch'))
    env_cfg = cfg.get('env_cfg') or {}
    settings = {**env_cfg.get('dist_cfg', {}), 'backend': 'gloo'}
    cfg.env_cfg = {**env_cfg, 'dist_cfg': settings}
    if not distributed.is_initialized():
        seconds = settings.get('timeout')
        timeout = {} if seconds is None else {'timeout': datetime.timedelta(seconds=seconds)}
        distributed.init_process_group('gloo', **timeout)
        atexit.register(_close_group)
    wrapper = cfg.get('model_wrapper_cfg') or {}
    # The Runner reads find_unused_parameters only where no wrapper is configured; broadcast_buffers is its default.
    defaults = {'broadcast_buffers': False, 'find_unused_parameters': cfg.get('find_unused_parameters', False)}
    cfg.model_wrapper_cfg = {'type': CPUDistributedDataParallel.__name__, **defaults, **wrapper, 'device_ids': None}
    cfg.model, replaced = sync_norm_to_norm(cfg.model)
    if cfg.get('sync_bn') is not None:
        cfg.sync_bn = None
        replaced += 1
    if replaced and rank == 0:
        print_log(
            'No accelerator: SyncBN is replaced by BN, whose statistics are those of each process alone.',
            logger='current',
        )
    return cfg


def _close_group() -> None:
    """Ends gloo's threads: one that frees a tensor while the interpreter ends aborts the process.

    The last reference to the group joins them. A model wrapped for several processes holds one, and lies in cycles.
    """
    if distributed.is_initialized():
        distributed.destroy_process_group()
        gc.collect()


def _read_environment(launcher: str) -> int:
    """Gives torch.distributed its variables from those of the launcher; returns the rank."""
    if launcher not in RANK_VARIABLES:
        raise ValueError(f'launcher: {launcher!r} found, one of {", ".join(RANK_VARIABLES)} expected')
    for target, name in zip(RANK_VARIABLES['pytorch'], RANK_VARIABLES[launcher], strict=True):
        value = os.environ.get(name)
        if value is None or not value.isdigit():
            raise ValueError(
                f'launcher {launcher!r}: environment variable {name} is {value!r}, a number expected; '
                'start several processes with tools/dist_train.sh, tools/slurm_train.sh or mpirun'
            )
        os.environ[target] = value
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_slurm_host()
    if 'MASTER_ADDR' not in os.environ:
        raise ValueError(f'launcher {launcher!r}: environment variable MASTER_ADDR is not set')
    os.environ.setdefault('MASTER_PORT', '29500')  # torch's default
    return int(os.environ['RANK'])


def _first_slurm_host() -> str:
    """Names the node of rank 0 from SLURM_NODELIST, ``name`` or ``name[3-5,9]``."""
    nodes = os.environ.get('SLURM_NODELIST', '')
    if re.fullmatch(r'[\w.-]+', nodes):
        return nodes
    try:
        names = subprocess.run(['scontrol', 'show', 'hostnames', nodes], capture_output=True, text=True, check=True)
        return names.stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        raise ValueError(
            f"launcher 'slurm': SLURM_NODELIST is {nodes!r} and scontrol does not resolve it; set MASTER_ADDR"
        ) from None
