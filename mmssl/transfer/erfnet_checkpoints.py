"""Names of ERFNet's tensors in the public release, in mmseg and here."""

import re

from torch import Tensor

# Layers 1, 2, 8 of table 3.1 are downsamplers; the release keeps layer 1 apart and counts the others from 0.
_BLOCK = r'(?P<rest>(?:conv|bn)\w*\.\w+)'
_RELEASE = (
    (re.compile(rf'^encoder\.initial_block\.{_BLOCK}$'), lambda m: f'backbone.layers.1.{m["rest"]}'),
    (
        re.compile(rf'^encoder\.layers\.(?P<n>\d+)\.{_BLOCK}$'),
        lambda m: f'backbone.layers.{int(m["n"]) + 2}.{m["rest"]}',
    ),
    (
        re.compile(rf'^decoder\.layers\.(?P<n>\d+)\.{_BLOCK}$'),
        lambda m: f'decode_head.layers.{int(m["n"]) + 17}.{m["rest"]}',
    ),
    (re.compile(r'^decoder\.output_conv\.(?P<rest>\w+)$'), lambda m: f'decode_head.conv_seg.{m["rest"]}'),
)
# mmseg numbers the modules inside a non-bottleneck block: activations stand at 1, 5, 8 and have no tensors.
_MMSEG_MODULES = {'0': 'conv3x1_1', '2': 'conv1x3_1', '3': 'bn1', '5': 'conv3x1_2', '7': 'conv1x3_2', '8': 'bn2'}
_MMSEG = re.compile(
    r'^backbone\.(?P<part>encoder|decoder)\.(?P<n>\d+)\.(?:convs_layers\.(?P<module>\d)|(?P<plain>conv|bn))\.(?P<rest>\w+)$'
)


def _rename_release(key: str) -> str | None:
    for pattern, rename in _RELEASE:
        match = pattern.match(key)
        if match:
            return rename(match)
    return None


def _rename_mmseg(key: str) -> str | None:
    match = _MMSEG.match(key)
    if not match:
        return None
    part, first = ('backbone', 1) if match['part'] == 'encoder' else ('decode_head', 17)
    module = match['plain'] or _MMSEG_MODULES[match['module']]
    return f'{part}.layers.{int(match["n"]) + first}.{module}.{match["rest"]}'


def convert_erfnet(state_dict: dict[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Rename the tensors of a foreign ERFNet to those of ``ERFNetEncoder`` and ``ERFNetDecodeHead``.

    Two origins are told apart by their names: the public release (E. Romera; keys may carry ``module.``) and
    mmseg's ``ERFNet`` backbone in an ``EncoderDecoder``. mmseg has no transposed convolution at the end but a head of
    its own; the converted dict then has no ``decode_head.conv_seg``. The release's 1x1 classifier behind the encoder
    is not used once the decoder is there.

    Args:
        state_dict: names and tensors; the tensors are not copied.

    Returns:
        The renamed tensors, and the names that have no place here.

    Raises:
        ValueError: when not a single name is known.
    """
    stripped = {key.removeprefix('module.'): tensor for key, tensor in state_dict.items()}
    rename = _rename_mmseg if any(key.startswith('backbone.') for key in stripped) else _rename_release
    converted, left_out = {}, []
    for key, tensor in stripped.items():
        new = rename(key)
        if new is None:
            left_out.append(key)
        else:
            converted[new] = tensor
    if not converted:
        some = ', '.join(list(stripped)[:3]) or 'nothing'
        raise ValueError(
            f'ERFNet checkpoint: no known name among {len(stripped)} ({some}, ...), expected the names '
            'of the public release (encoder.initial_block.conv.weight) or of mmseg (backbone.encoder.0...)'
        )
    return converted, left_out
