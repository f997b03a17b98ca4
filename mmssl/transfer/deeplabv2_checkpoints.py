"""Names of DeepLabv2's tensors in the published weights and here, and the images that its first layer expects."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor

# The multi-scale Caffe models have the prefix Scale, those of a wrapped model module.
_PREFIX = re.compile(r'^(?:module\.|Scale\.)+')
_TRUNK = re.compile(r'^(?:conv1|bn1|layer[1-4]\.\d+\.(?:conv\d|bn\d|downsample\.[01]))\.\w+$')
_BRANCH = re.compile(r'^layer5\.conv2d_list\.(?P<n>\d+)\.(?P<rest>weight|bias)$')

PUBLISHED_MEAN = (104.008, 116.669, 122.679)
"""Blue, green, red of 0..255: what the published weights expect to be subtracted, and nothing to be divided by."""


def convert_deeplabv2(
    state_dict: dict[str, Tensor], num_classes: int | None = None
) -> tuple[dict[str, Tensor], list[str], str]:
    """Rename the tensors of the published DeepLabv2 to those of mmseg's ``ResNet`` and of ``DeepLabV2Head``.

    The public names are ``conv1``, ``bn1``, ``layer1`` to ``layer4`` for the trunk and ``layer5.conv2d_list.N`` for the
    branches, after ``module.`` or ``Scale.`` or both.

    Args:
        state_dict: names and tensors; the tensors are not copied.
        num_classes: classes of the model to be loaded: a classifier of another number is left out. None leaves any
            classifier out.

    Returns:
        The renamed tensors, the names that were left out, and a sentence about the classifier.

    Raises:
        ValueError: when no name of the trunk is known.
    """
    converted, branches, left_out = {}, {}, []
    for key, tensor in state_dict.items():
        name = _PREFIX.sub('', key)
        match = _BRANCH.match(name)
        if match:
            branches[key] = f'decode_head.branches.{match["n"]}.{match["rest"]}', tensor
        elif _TRUNK.match(name):
            converted[f'backbone.{name}'] = tensor
        else:
            left_out.append(key)
    if not converted:
        some = ', '.join(list(state_dict)[:3]) or 'nothing'
        raise ValueError(
            f'DeepLabv2 checkpoint: no known name among {len(state_dict)} ({some}), expected those of the published '
            'weights (conv1.weight, layer1.0.conv1.weight, layer5.conv2d_list.0.weight)'
        )
    found = sorted({len(tensor) for _, tensor in branches.values()})
    if not branches:
        said = 'no classifier in the checkpoint'
    elif found == [num_classes]:
        converted.update(branches.values())
        said = (
            f'classifier of {num_classes} classes converted, {sum(t.dim() == 4 for _, t in branches.values())} branches'
        )
    else:
        left_out += branches
        wanted = 'none asked for' if num_classes is None else f'{num_classes} asked for'
        said = f'classifier of {" or ".join(map(str, found))} classes left out, {wanted}'
    return converted, left_out, said


def fit_first_layer(tensors: dict[str, Tensor], mean: Sequence[float], std: Sequence[float]) -> dict[str, Tensor]:
    """Let a trunk that was trained on BGR images of 0..255 minus a mean take normalised RGB images.

    With the published image ``x - PUBLISHED_MEAN`` the first convolution gives ``y``. Here it sees
    ``(x - mean) / std``, so each input channel of its kernel is multiplied by ``std / k`` and moved to its place in
    RGB, and it gives ``(y - shift) / k``, where ``shift`` is what the kernel makes of the two means' difference. The
    running statistics of the batch normalisation behind it become ``(mean - shift) / k`` and ``variance / k**2``. The
    network's output is the same but for the eps of that normalisation, and for the padded border, where the colour of
    the padding changes with the mean. ``k`` is the mean of ``std``, which keeps the size of the kernel and with it the
    effect of the learning rate.

    Args:
        tensors: of :func:`convert_deeplabv2`, with ``backbone.conv1.weight`` (64, 3, 7, 7), input channels B, G, R, and
            ``backbone.bn1.running_mean`` and ``running_var``.
        mean: red, green, blue that the data preprocessor subtracts, of 0..255.
        std: red, green, blue that it divides by.

    Returns:
        The tensors with those three replaced; the arguments keep theirs.

    Raises:
        ValueError: when one of the three is missing.
    """
    names = [f'backbone.{name}' for name in ('conv1.weight', 'bn1.running_mean', 'bn1.running_var')]
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ValueError(f'DeepLabv2 checkpoint: no {", ".join(missing)}, expected all of {", ".join(names)}')
    weight, running_mean, running_var = (tensors[name].double() for name in names)
    weight = weight.flip(1)
    mean, std, published = (torch.tensor(v, dtype=torch.float64) for v in (mean, std, PUBLISHED_MEAN[::-1]))
    shift = torch.einsum('ocij,c->o', weight, mean - published)
    k = std.mean()
    fitted = (weight * (std / k).view(1, 3, 1, 1), (running_mean - shift) / k, running_var / k**2)
    return {**tensors, **{n: t.to(tensors[n].dtype).contiguous() for n, t in zip(names, fitted, strict=True)}}
