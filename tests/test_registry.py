"""Every ``mmssl.`` name resolves to this package, from every host's scope, without an import of ours."""

import importlib
import subprocess
import sys

import pytest
from mmengine.registry import MODELS as ROOT_MODELS

import mmssl.registry as ours

REGISTRIES = [ours.MODELS, ours.DATASETS, ours.TRANSFORMS, ours.HOOKS, ours.METRICS]


@pytest.mark.parametrize('registry', REGISTRIES, ids=lambda registry: registry.name)
def test_names_resolve_to_this_package(registry):
    registry.import_from_location()
    assert registry.module_dict
    for name, cls in registry.module_dict.items():
        assert cls.__module__.startswith('mmssl.'), name
        assert registry.root.get(f'mmssl.{name}') is cls
        assert cls.__doc__, name


@pytest.mark.parametrize('scope', ['mmseg', 'mmdet', 'mmpretrain'])
def test_prefix_works_from_every_host_without_importing_us(scope):
    code = (
        'from mmengine.registry import MODELS, init_default_scope\n'
        f'init_default_scope({scope!r})\n'
        'net = MODELS.build(dict(type="mmssl.ERFNetEncoder"))\n'
        'print(type(net).__module__)'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == 'mmssl.models.backbones.erfnet', done.stderr


# mmdet has a hook of that name with less to it; ours serves models of mmseg and mmpretrain, where there is none.
SHARED = {'MeanTeacherHook'}


@pytest.mark.parametrize('host', ['mmseg', 'mmdet', 'mmpretrain'])
@pytest.mark.parametrize('kind', ['MODELS', 'TRANSFORMS', 'DATASETS', 'HOOKS', 'METRICS'])
def test_no_name_hides_a_hosts(host, kind):
    """A forgotten prefix must fail, not build a host's class that behaves otherwise."""
    registry, theirs = getattr(ours, kind), getattr(importlib.import_module(f'{host}.registry'), kind)
    registry.import_from_location()
    theirs.import_from_location()
    assert theirs.module_dict or kind == 'HOOKS'
    assert not (set(registry.module_dict) & (set(theirs.module_dict) | set(registry.root.module_dict))) - SHARED


def test_registries_are_children_of_the_root():
    for registry in REGISTRIES:
        assert registry.scope == 'mmssl'
        assert registry.parent is registry.root
    assert ROOT_MODELS is ours.MODELS.parent
