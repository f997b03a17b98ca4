"""Write a candidate as two configs that tools/train.py runs: its proxy, and the segmentation that starts from it."""

import copy
import os
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import MODELS

from mmssl.apis.config import ConfigError
from mmssl.models.decode_heads.erfnet_head import ERFNetDecodeHead
from mmssl.search.space import Genes, describe_genes

ENCODER = 'mmssl.ERFNetEncoder'
PARTS = ('decode_head', 'neck', 'head')
"""What may stand behind the encoder and must follow its widths."""


def genes_overrides(cfg: Config, genes: Genes, source: str) -> dict:
    """What a recipe's ``model`` becomes with the genes, as a config inherits it.

    The encoder takes all genes. A decoder of ERFNet is its mirror: it takes the channels of strides 4 and 2 and the
    norm. Of another head or neck, only ``in_channels`` follows.

    Args:
        cfg: whole config of the recipe.
        genes: of the candidate.
        source: name of the recipe, for messages.

    Returns:
        Keys of ``model`` and what they change.

    Raises:
        ConfigError: the recipe's model does not stand on ``mmssl.ERFNetEncoder``.
    """
    model = cfg.get('model') or {}
    kind = (model.get('backbone') or {}).get('type')
    if kind != ENCODER:
        raise ConfigError(f'{source}: model.backbone.type is {kind!r}, {ENCODER!r} expected')
    half, quarter, eighth = genes['widths']
    encoder = {name: genes[name] for name in ('depth', 'widths', 'dilations')}
    overrides = {'backbone': {**encoder, 'norm_cfg': _norm(model['backbone'], genes)}}
    for part in PARTS:
        settings = model.get(part) or {}
        head = MODELS.get(settings['type']) if 'type' in settings else None
        if isinstance(head, type) and issubclass(head, ERFNetDecodeHead):
            overrides[part] = {
                'in_channels': eighth,
                'widths': [quarter, half],
                'norm_cfg': _norm(settings, genes),
            }
        elif 'in_channels' in settings:
            overrides[part] = {'in_channels': eighth}
    return overrides


def apply_overrides(cfg: Config, overrides: dict) -> Config:
    """A recipe with the candidate's model, as its written config gives it; the recipe stays as it was."""
    merged = Config(cfg.to_dict(), filename=cfg.filename)
    merged.merge_from_dict({'model': copy.deepcopy(overrides)})  # which takes the keys _delete_ out
    return merged


def proxy_text(recipe: str, overrides: dict, title: str) -> str:
    """Text of the config that trains the proxy.

    Args:
        recipe: path of the proxy recipe, relative to the config's folder.
        overrides: of :func:`genes_overrides`.
        title: comment lines without ``#``.

    Returns:
        Python source.
    """
    return f'{_comment(title)}_base_ = {recipe!r}\n{_model_text(overrides)}'


def segmentation_text(recipe: str, overrides: dict, title: str, source: str, has_hooks: bool) -> str:
    """Text of the config that fine-tunes for segmentation, from the encoder that the proxy trained.

    Args:
        recipe: path of the segmentation recipe, relative to the config's folder.
        overrides: of :func:`genes_overrides`.
        title: comment lines without ``#``.
        source: work dir of the proxy's training, relative to the config's folder.
        has_hooks: whether the recipe has ``custom_hooks``, which are kept.

    Returns:
        Python source.
    """
    rule = f"dict(source='{{{{fileDirname}}}}/{source}', modules='backbone')"
    hooks = ['    *_base_.custom_hooks,\n'] if has_hooks else []
    hooks.append(f"    dict(type='mmssl.WeightTransferHook', rules=[{rule}]),\n")
    return f'{proxy_text(recipe, overrides, title)}custom_hooks = [\n{"".join(hooks)}]\n'


def write_candidate(
    folder: Path, number: int, genes: Genes, cost: str, proxy: Config, segmentation: Config
) -> tuple[Path, Path]:
    """Write both configs of a candidate.

    Args:
        folder: of the candidate; the proxy is trained in its ``proxy``.
        number: of the candidate.
        genes: of the candidate.
        cost: its parameters and operations, in words, for the comment.
        proxy: recipe of the proxy, with its file's name.
        segmentation: recipe of the segmentation, likewise.

    Returns:
        Paths of ``proxy_NNN.py`` and ``segmentation_NNN.py``.

    Raises:
        ConfigError: as :func:`genes_overrides`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, recipe in (('proxy', proxy), ('segmentation', segmentation)):
        overrides = genes_overrides(recipe, genes, recipe.filename)
        title = f'Candidate {number}, {kind}: {describe_genes(genes)};\nas a segmentation network {cost}.'
        base = str(Path(recipe.filename).resolve())
        if folder.absolute() == folder.resolve():  # behind a link, dots would lead from another place
            base = os.path.relpath(base, folder.resolve())
        text = (
            proxy_text(base, overrides, title)
            if kind == 'proxy'
            else segmentation_text(base, overrides, title, 'proxy', bool(recipe.get('custom_hooks')))
        )
        path = folder / f'{kind}_{number:03d}.py'
        path.write_text(text)
        paths.append(path)
    return paths[0], paths[1]


def _norm(settings: dict, genes: Genes) -> dict:
    # Arguments of the recipe's norm are not those of another one.
    return {**({'_delete_': True} if 'norm_cfg' in settings else {}), **genes['norm_cfg']}


def _comment(title: str) -> str:
    return ''.join(f'# {line}\n' for line in title.splitlines())


def _model_text(overrides: dict) -> str:
    parts = ''.join(f'    {name}={_call(changes)},\n' for name, changes in overrides.items())
    return f'model = dict(\n{parts})\n'


def _call(values: dict) -> str:
    """A dict as it is written in configs."""
    return f'dict({", ".join(f"{key}={_literal(value)}" for key, value in values.items())})'


def _literal(value) -> str:
    if isinstance(value, dict):
        return _call(value)
    return repr(tuple(value)) if isinstance(value, list) else repr(value)
