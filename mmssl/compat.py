"""Every shim for a host package, each with the version that will make it unnecessary."""

import numpy as np
import torch

STATISTICS = ('min', 'max', 'current', 'mean')


def _statistic_of_history_buffer(owner: type, name: str):
    """What ``getattr`` may mean in a checkpoint: one of the four statistics of mmengine's ``HistoryBuffer``.

    Raises:
        ValueError: on any other attribute of anything.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is not HistoryBuffer or name not in STATISTICS:
        raise ValueError(f'checkpoint asks for attribute {name!r} of {owner!r}, expected a statistic of HistoryBuffer')
    return getattr(owner, name)


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(weights_only=True)`` read the checkpoints that mmengine writes.

    From torch 2.6 on the check is on by default and mmengine's own checkpoints fail it, because the message hub in
    them holds ``HistoryBuffer`` objects: numpy arrays and four methods, pickled as ``getattr(HistoryBuffer, name)``
    (mmengine #1655). Those are put on torch's list of what may be unpickled, ``getattr`` in the narrow form above;
    the check itself stays on. Unnecessary once mmengine stores plain values (0.10.7 does not).
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    # numpy 2 moved its core; a checkpoint names the module of the numpy that wrote it.
    core = np._core if hasattr(np, '_core') else np.core
    reconstruct = core.multiarray._reconstruct
    scalar = core.multiarray.scalar
    torch.serialization.add_safe_globals(
        [
            HistoryBuffer,
            (_statistic_of_history_buffer, 'builtins.getattr'),
            (reconstruct, 'numpy._core.multiarray._reconstruct'),
            (reconstruct, 'numpy.core.multiarray._reconstruct'),
            (scalar, 'numpy._core.multiarray.scalar'),
            (scalar, 'numpy.core.multiarray.scalar'),
            np.ndarray,
            np.dtype,
            *(type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_)),
        ]
    )


def register_config_package() -> None:
    """Let configs and tools name our recipes as ``mmssl::erfnet/...``, as they name those of the host packages.

    mmengine resolves ``package::file`` for the packages in a table of its own (0.10.7). Unnecessary once it looks for
    installed packages instead.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('mmssl', 'mmssl')
