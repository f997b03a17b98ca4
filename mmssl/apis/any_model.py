"""A model of any host package, built from a config, with the weights of a checkpoint."""

import warnings
from collections.abc import Mapping

from mmengine.config import Config
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from mmssl.apis.sync_norm import sync_norm_to_norm
from mmssl.errors import DataError, one_line


def build_model(cfg: Config, source: str, default_scope: str = 'mmengine') -> nn.Module:
    """Build the model as the Runner of a single process does: SyncBN becomes BN, no weights are downloaded.

    Args:
        cfg: a whole configuration; its ``default_scope`` says which package names its parts.
        source: name of the config, for messages.
        default_scope: package of the parts where the config names none.

    Returns:
        The model with random weights.

    Raises:
        ValueError: no ``model`` in the config, or one that cannot be built.
    """
    if not isinstance(cfg.get('model'), dict):
        raise ValueError(f'config {source}: no key "model"')
    init_default_scope(cfg.get('default_scope', default_scope))
    settings = sync_norm_to_norm(cfg.model)[0]
    if cfg.get('data_preprocessor') is not None:
        settings.setdefault('data_preprocessor', cfg.data_preprocessor)
    try:
        with warnings.catch_warnings():
            # The hosts announce their own deprecations once for every loss.
            warnings.simplefilter('ignore', UserWarning)
            model = MODELS.build(settings)
    except (KeyError, TypeError, ValueError, AssertionError, ImportError) as error:
        raise ValueError(f'config {source}: the model cannot be built: {one_line(error)}') from None
    return revert_sync_batchnorm(model)


def fill_model(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load every tensor of a model.

    Args:
        model: receives the weights.
        state: names and tensors.
        source: where they come from, for messages.

    Raises:
        DataError: names or shapes are not those of the model; nothing is loaded then.
    """
    wanted = model.state_dict()
    faults = [f'{name} is missing' for name in wanted if name not in state]
    faults += [f'{name} is not in the model' for name in state if name not in wanted]
    faults += [
        f'{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}'
        for name, tensor in wanted.items()
        if name in state and state[name].shape != tensor.shape
    ]
    if faults:
        raise DataError(f'{source}: does not fit the model, {len(faults)} tensors differ; first: {faults[0]}')
    model.load_state_dict(state)
