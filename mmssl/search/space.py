"""The search space: which depths, widths, dilations and norms of ERFNet there are, drawing one and changing a gene."""

import json
import math
from collections.abc import Mapping

import numpy as np
from mmcv.cnn import build_norm_layer

import mmssl.registry  # noqa: F401, norms of ours are found by their prefix
from mmssl.apis.config import ConfigError
from mmssl.errors import one_line

GENES = ('depth', 'widths', 'dilations', 'norm_cfg')
"""Arguments of ``mmssl.ERFNetEncoder`` that are searched over; the decoder follows widths and norm."""

Genes = dict[str, int | list[int] | dict]
"""One architecture: a value for each gene, in the types of JSON (lists, no tuples)."""
Space = dict[str, list]
"""The options of each gene, in the same types."""


def check_space(options: Mapping) -> Space:
    """Check a search space.

    Args:
        options: for each of ``GENES`` a list of options, each once: ``depth``, blocks at stride 4, from 0; ``widths``,
            three rising channel numbers, the first above the image's 3; ``dilations``, of each block at stride 8, one
            or more from 1, pixels; ``norm_cfg``, as mmcv's ``build_norm_layer`` reads it, which fits all widths.

    Returns:
        The space, lists in place of tuples.

    Raises:
        ConfigError: naming the gene and the option, for anything else.
    """
    for name in options:
        if name not in GENES:
            raise ConfigError(f'space: unknown gene {name!r}, expected {", ".join(GENES)}')
    space = {}
    for name in GENES:
        values = options.get(name)
        if not isinstance(values, (list, tuple)) or not values:
            raise ConfigError(f'space.{name}: {values!r} found, a list of options expected')
        values = json.loads(json.dumps(list(values)))
        for value in values:
            _CHECKS[name](value)
            if values.count(value) > 1:
                raise ConfigError(f'space.{name}: {value!r} found twice, each option once expected')
        space[name] = values
    for norm in space['norm_cfg']:
        for width in sorted({width for widths in space['widths'] for width in widths}):
            try:
                build_norm_layer(norm, width)
            except (KeyError, TypeError, ValueError, RuntimeError) as error:
                raise ConfigError(f'space.norm_cfg: {norm} with {width} channels: {one_line(error)}') from None
    return space


def space_size(space: Space) -> int:
    """Number of architectures."""
    return math.prod(len(values) for values in space.values())


def sample_genes(space: Space, generator: np.random.Generator) -> Genes:
    """Draw an architecture, every gene uniformly and on its own."""
    return {name: space[name][generator.integers(len(space[name]))] for name in GENES}


def mutate_genes(space: Space, genes: Genes, generator: np.random.Generator) -> Genes:
    """Change one gene.

    Source: E. Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019, section 3: one
    simple change. The gene is drawn uniformly among those with a choice, then the new option among the others.

    Args:
        space: of the search, with a gene of two options or more.
        genes: of the parent, in the space.
        generator: numpy's.

    Returns:
        The child; it differs from the parent in exactly one gene.

    Raises:
        ValueError: no gene has a second option.
    """
    variable = [name for name in GENES if len(space[name]) > 1]
    if not variable:
        raise ValueError('space: no gene has a second option, nothing can be mutated')
    name = variable[generator.integers(len(variable))]
    others = [value for value in space[name] if value != genes[name]]
    return {**genes, name: others[generator.integers(len(others))]}


def genes_key(genes: Genes) -> str:
    """The same text for equal genes."""
    return json.dumps(genes, sort_keys=True)


def describe_genes(genes: Genes) -> str:
    """Genes for a line of a report: ``depth 3, widths 16-64-128, dilations 2-4-8, BN``."""
    widths, dilations = ('-'.join(map(str, genes[name])) for name in ('widths', 'dilations'))
    return f'depth {genes["depth"]}, widths {widths}, dilations {dilations}, {norm_name(genes)}'


def norm_name(genes: Genes) -> str:
    """Type of the norm without the prefix of a registry."""
    return str(genes['norm_cfg']['type']).rpartition('.')[2]


def _is_whole(value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_depth(value) -> None:
    if not _is_whole(value, 0):
        raise ConfigError(f'space.depth: {value!r} found, a whole number from 0 expected')


def _check_widths(value) -> None:
    fits = isinstance(value, list) and len(value) == 3 and all(_is_whole(width, 4) for width in value)
    if not fits or not value[0] < value[1] < value[2]:
        raise ConfigError(f'space.widths: {value!r} found, three rising whole numbers from 4 expected')


def _check_dilations(value) -> None:
    if not isinstance(value, list) or not value or not all(_is_whole(dilation, 1) for dilation in value):
        raise ConfigError(f'space.dilations: {value!r} found, one or more whole numbers from 1 expected')


def _check_norm(value) -> None:
    if not isinstance(value, dict) or not isinstance(value.get('type'), str):
        raise ConfigError(f"space.norm_cfg: {value!r} found, a dict with the key 'type' expected")


_CHECKS = {
    'depth': _check_depth,
    'widths': _check_widths,
    'dilations': _check_dilations,
    'norm_cfg': _check_norm,
}
