"""The check of the host packages, against made-up installations (real dist-info folders, no packages)."""

import subprocess
import sys
from importlib import metadata

import pytest

from mmssl.host_versions import HOSTS, check_hosts, expected, find_problem, require_host

COMPLETE = {'torch': '2.12.1', 'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmsegmentation': '1.2.2', 'mmpretrain': '1.2.0'}
MODULES = {name: host.module for host in HOSTS.values() for name in host.ranges} | {
    'mmcv-lite': 'mmcv',
    'transformers': 'transformers',
    'pycocotools': 'pycocotools',
}


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Makes the given distributions, and only those, the installed ones."""

    def make(distributions: dict[str, str], *, files: bool = True, operators: bool = True):
        for name, version in distributions.items():
            info = tmp_path / f'{name.replace("-", "_")}-{version}.dist-info'
            info.mkdir()
            (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n')
            if files:
                package = tmp_path / MODULES[name]
                package.mkdir(exist_ok=True)
                (package / '__init__.py').touch()
                if operators and name != 'mmcv-lite':
                    (package / '_ext.cpython-311-x86_64-linux-gnu.so').touch()
        # Packaging must stay importable: the search path of distributions and packages alone is replaced.
        real = metadata.Distribution.discover
        monkeypatch.setattr(
            metadata.Distribution, 'discover', lambda **kwargs: real(**{**kwargs, 'path': [str(tmp_path)]})
        )
        import packaging.specifiers  # noqa: F401

        monkeypatch.setattr(sys, 'path', [str(tmp_path)])
        for module in HOSTS:
            monkeypatch.delitem(sys.modules, module, raising=False)
        sys.path_importer_cache.clear()

    return make


def test_complete_set_passes(install):
    install(COMPLETE)
    check_hosts()


def test_missing_package_is_named_with_range_and_command(install):
    install({name: version for name, version in COMPLETE.items() if name != 'mmengine'})
    with pytest.raises(ImportError) as error:
        check_hosts()
    assert str(error.value) == (
        'mmssl needs mmengine>=0.10.6,<1.0 (or onedl-mmengine>=0.10.9,!=0.10.11,<1.0), found none: '
        'pip install mmengine==0.10.7'
    )


def test_several_problems_stand_in_one_line(install):
    install({'torch': '2.12.1', 'mmcv': '2.2.0'})
    with pytest.raises(ImportError) as error:
        check_hosts()
    text = str(error.value)
    assert '\n' not in text
    assert [part.split()[2].split('>')[0] for part in text.split(' | ')[:-1]] == [
        'mmengine',
        'mmcv',
        'mmsegmentation',
        'mmpretrain',
    ]
    assert text.endswith('bash tools/setup_env.sh')


@pytest.mark.parametrize(
    ('module', 'distribution', 'version', 'accepted'),
    [
        ('mmengine', 'mmengine', '0.10.5', False),
        ('mmengine', 'mmengine', '0.10.6', True),
        ('mmengine', 'mmengine', '1.0.0', False),
        ('mmengine', 'onedl-mmengine', '0.10.10', True),
        ('mmengine', 'onedl-mmengine', '0.10.11', False),  # shipped without mmengine.dist
        ('mmengine', 'onedl-mmengine', '0.10.12', True),
        ('mmcv', 'mmcv', '2.1.0', True),
        ('mmcv', 'mmcv', '2.2.0', False),
        ('mmcv', 'onedl-mmcv', '2.3.7.post1', True),
        ('mmcv', 'onedl-mmcv', '3.0.0', False),
        ('mmseg', 'mmsegmentation', '0.30.0', False),
        ('mmseg', 'onedl-mmsegmentation', '1.3.0rc0', True),
        ('mmdet', 'onedl-mmdetection', '3.5.1', True),
        ('mmdet', 'mmdet', '2.28.0', False),
        ('mmpretrain', 'onedl-mmpretrain', '1.3.5', True),
        ('torch', 'torch', '2.5.1', False),
        ('torch', 'torch', '2.13.0+cpu', True),
        ('torch', 'torch', '2.14.0.dev20260101+cu130', True),
        ('torch', 'torch', '2.15.0', False),
    ],
)
def test_ranges_of_upstream_and_fork(install, module, distribution, version, accepted):
    install({distribution: version})
    problem = find_problem(HOSTS[module])
    if accepted:
        assert problem is None
    else:
        assert problem.startswith(f'mmssl needs {expected(HOSTS[module])}, found {distribution} {version}: ')
        assert HOSTS[module].tested in problem.split(': ', 1)[1]


def test_mmcv_lite_is_told_from_mmcv(install):
    install({'mmcv-lite': '2.1.0'})
    problem = find_problem(HOSTS['mmcv'])
    assert 'found mmcv-lite 2.1.0, which has no operators: pip uninstall -y mmcv-lite; MMCV_WITH_OPS=1' in problem


def test_mmcv_built_without_operators(install):
    install({'mmcv': '2.1.0'}, operators=False)
    assert 'with operators, found mmcv 2.1.0 without them' in find_problem(HOSTS['mmcv'])


def test_fork_installed_over_upstream(install):
    install({'mmengine': '0.10.7', 'onedl-mmengine': '0.10.12'})
    problem = find_problem(HOSTS['mmengine'])
    assert 'found mmengine 0.10.7 and onedl-mmengine 0.10.12 in the same folder' in problem
    assert 'pip uninstall -y mmengine onedl-mmengine; pip install mmengine==0.10.7' in problem


@pytest.mark.parametrize(('segmentation', 'refused'), [('mmsegmentation', True), ('onedl-mmsegmentation', False)])
def test_fork_of_mmcv_needs_fork_of_mmseg(install, segmentation, refused):
    version = '1.2.2' if refused else '1.3.0'
    install({'onedl-mmcv': '2.3.6', segmentation: version})
    problem = find_problem(HOSTS['mmseg'])
    wanted = 'mmsegmentation 1.2.2 refuses onedl-mmcv 2.3.6: pip uninstall -y mmsegmentation; '
    assert problem == (wanted + 'pip install onedl-mmsegmentation' if refused else None)


@pytest.mark.parametrize(('version', 'accepted'), [('4.55.4', True), ('4.56.2', False), ('5.17.0', False)])
def test_transformers_that_mmpretrain_does_not_import_beside(install, version, accepted):
    install({'mmpretrain': '1.2.0', 'transformers': version, 'pycocotools': '2.0.11'})
    problem = find_problem(HOSTS['mmpretrain'])
    if accepted:
        assert problem is None
    else:
        assert problem == (
            f'mmpretrain 1.2.0 does not import beside transformers {version}, expected none or transformers<4.56: '
            "pip install 'transformers<4.56'"
        )


def test_transformers_without_pycocotools_is_not_imported_by_mmpretrain(install):
    install({'mmpretrain': '1.2.0', 'transformers': '5.17.0'})
    assert find_problem(HOSTS['mmpretrain']) is None


def test_metadata_without_files(install):
    install({'mmpretrain': '1.2.0'}, files=False)
    assert 'found mmpretrain 1.2.0 without its files' in find_problem(HOSTS['mmpretrain'])


@pytest.mark.parametrize(('version', 'accepted'), [('3.3.0', True), ('3.0.0', False)])
def test_source_checkout_on_the_path(install, tmp_path, version, accepted):
    install({})
    (tmp_path / 'mmdet').mkdir()
    (tmp_path / 'mmdet' / '__init__.py').write_text('raise RuntimeError("imported")')
    (tmp_path / 'mmdet' / 'version.py').write_text(f"__version__ = '{version}'\n")
    problem = find_problem(HOSTS['mmdet'])
    assert problem is None if accepted else f'found mmdet ({tmp_path}/mmdet) {version}' in problem


def test_optional_package_is_asked_for_by_its_user(install):
    install(COMPLETE)
    check_hosts()
    with pytest.raises(
        ImportError, match=r'^Mask R-CNN: mmssl needs mmdet>=3\.3\.0,<4\.0 .*found none: pip install mm'
    ):
        require_host('mmdet', needed_by='Mask R-CNN')
    with pytest.raises(ValueError, match=r"unknown host package 'mmdetection': expected one of torch, mmengine"):
        require_host('mmdetection')


def test_import_is_cheap():
    """Neither torch nor a host is imported, and it takes a fraction of torch's import (seconds)."""
    code = (
        'import sys, time; start = time.process_time(); import mmssl; spent = time.process_time() - start; '
        'heavy = {"torch", "numpy", "cv2", "mmengine", "mmcv", "mmseg", "mmdet", "mmpretrain"}; '
        'print(sorted(heavy & set(sys.modules)), spent)'
    )
    output = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout
    modules, spent = output.rsplit(' ', 1)
    assert modules == '[]'
    assert float(spent) < 0.5
