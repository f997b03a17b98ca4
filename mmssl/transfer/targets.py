"""What a model's tensors are: the side of a transfer that receives."""

from collections.abc import Iterator
from dataclasses import dataclass

from mmengine.model import is_model_wrapper
from torch import Tensor, nn

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
# Norms without running statistics; the others are known by those.
PLAIN_NORMS = (nn.GroupNorm, nn.LayerNorm)


@dataclass(frozen=True)
class TargetTensor:
    """A parameter or buffer of the model.

    Attributes:
        name: dotted, without the names of model wrappers.
        tensor: the parameter or buffer itself, not a copy.
        is_parameter: whether it is trained; statistics of a norm are not.
        in_norm: whether it belongs to a normalisation layer.
        has_filters: whether it is a layer's weight with one filter for each output channel.
        transposed_groups: groups of a transposed convolution, 0 for every other layer.
    """

    name: str
    tensor: Tensor
    is_parameter: bool
    in_norm: bool = False
    has_filters: bool = False
    transposed_groups: int = 0

    @property
    def module(self) -> str:
        """Name of the module that it belongs to."""
        return self.name.rpartition('.')[0]

    @property
    def leaf(self) -> str:
        """Its name within the module."""
        return self.name.rpartition('.')[2]


def unwrapped_modules(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Modules with the names that they have without model wrappers.

    Args:
        model: may be wrapped, and may have wrapped parts.

    Returns:
        Names and modules; a wrapper itself is left out, for what it wraps has its name.
    """
    return [(name, module) for _, name, module in _names(model) if not is_model_wrapper(module)]


def target_tensors(model: nn.Module) -> list[TargetTensor]:
    """List the tensors of a model's state dict.

    Args:
        model: may be wrapped, and may have wrapped parts.

    Returns:
        Parameters and persistent buffers, in the order of the state dict.
    """
    modules = {path: (name, module) for path, name, module in _names(model)}
    targets = []
    for key, tensor in model.state_dict(keep_vars=True).items():
        if not isinstance(tensor, Tensor):
            continue  # get_extra_state may be anything
        path, _, leaf = key.rpartition('.')
        name, module = modules.get(path, (path, None))
        targets.append(
            TargetTensor(
                name=f'{name}.{leaf}' if name else leaf,
                tensor=tensor,
                is_parameter=isinstance(tensor, nn.Parameter),
                in_norm=isinstance(module, PLAIN_NORMS) or hasattr(module, 'running_mean'),
                has_filters=leaf == 'weight' and tensor.dim() > 1 and not isinstance(module, nn.Embedding),
                transposed_groups=module.groups if isinstance(module, TRANSPOSED) and leaf == 'weight' else 0,
            )
        )
    return targets


def _names(module: nn.Module, path: str = '', name: str = '') -> Iterator[tuple[str, str, nn.Module]]:
    """Each module with its name, and its name without the ``module`` of wrappers."""
    yield path, name, module
    for child_name, child in module.named_children():
        child_path = f'{path}.{child_name}' if path else child_name
        if is_model_wrapper(module) and child_name == 'module':
            yield from _names(child, child_path, name)
        else:
            yield from _names(child, child_path, f'{name}.{child_name}' if name else child_name)
