"""Every shim for a host package, each with the version that will make it unnecessary."""

import numpy as np
import torch

from mmssl.errors import DataError

KEPT_TEXTS = 8
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


def load_checkpoints_safely() -> None:
    """Let mmengine and the hosts load weights in our ways, whichever of their doors they come through.

    Three things are put in the place of mmengine's (0.10.7): the loaders of its ``CheckpointLoader``, which is made to
    be added to (:mod:`mmssl.checkpoint_loading`: nothing is run, hashes in names are checked, safetensors are read);
    ``load_state_dict`` and ``_load_checkpoint_with_prefix`` of its module ``checkpoint``, in which all loads of
    ``Runner``, ``init_cfg`` and the hosts' APIs end (:mod:`mmssl.partial_loading`: weights that do not fit are an error
    on every rank); and an inferencer without a config is refused, as it would run the one in the checkpoint.

    Unnecessary once mmengine passes ``weights_only=True``, raises where nothing fits, and parses instead of runs the
    configs in checkpoints.
    """
    import mmengine.runner.checkpoint as theirs

    from mmssl.checkpoint_loading import LOADERS
    from mmssl.partial_loading import load_checkpoint_with_prefix, load_state_dict

    allow_mmengine_checkpoints()
    for prefix, loader in LOADERS.items():
        theirs.CheckpointLoader.register_scheme(prefix, loader, force=True)
    theirs.load_state_dict = load_state_dict
    theirs._load_checkpoint_with_prefix = load_checkpoint_with_prefix
    _refuse_configs_of_checkpoints()


def _refuse_configs_of_checkpoints() -> None:
    """Stop ``BaseInferencer`` from running the text that a checkpoint holds as its config."""
    from mmengine.infer import BaseInferencer

    original = BaseInferencer._init_model
    if getattr(original, 'needs_config', False):
        return

    def init_model(self, cfg, weights, device='cpu'):
        if not cfg:
            raise DataError(f'{weights}: given without a config; the one in a checkpoint is code and is not run')
        return original(self, cfg, weights, device)

    init_model.needs_config = True
    BaseInferencer._init_model = init_model


def format_configs_once() -> None:
    """Let mmengine format the text of a config once, rather than at the start, four times, and for each checkpoint.

    Formatting takes a second or two for a recipe of ours, longer than a small checkpoint itself. Unnecessary once
    mmengine keeps the text (0.10.7 does not).
    """
    import mmengine.config.config as theirs

    original = theirs.FormatCode
    if hasattr(original, 'formatted'):
        return
    formatted: dict[tuple, object] = {}

    def format_code(text: str, **options):
        key = (text, repr(options))
        if key not in formatted:
            if len(formatted) >= KEPT_TEXTS:
                del formatted[next(iter(formatted))]
            formatted[key] = original(text, **options)
        return formatted[key]

    format_code.formatted = formatted
    theirs.FormatCode = format_code


def register_config_package() -> None:
    """Let configs and tools name our recipes as ``mmssl::erfnet/...``, as they name those of the host packages.

    mmengine resolves ``package::file`` for the packages in a table of its own (0.10.7). Unnecessary once it looks for
    installed packages instead.
    """
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('mmssl', 'mmssl')
