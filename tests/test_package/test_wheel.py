"""What a wheel, a source distribution and an editable install hold."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser

import pytest
from mmengine.config import Config
from packaging.requirements import Requirement

from mmssl.host_versions import HOSTS

FILES = ('setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE', 'model-index.yml', 'requirements.txt')
FOLDERS = ('mmssl', 'configs', 'tools', 'tests', 'requirements')


def run_python(folder, *arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def build_wheel(source, out) -> zipfile.ZipFile:
    run_python(
        source, '-m', 'pip', 'wheel', '-q', '--no-index', '--no-build-isolation', '--no-deps', '-w', str(out), '.'
    )
    (wheel,) = out.glob('*.whl')
    return zipfile.ZipFile(wheel)


@pytest.fixture(scope='module')
def checkout(repository, tmp_path_factory):
    """A copy of the sources, so that nothing is built in the repository."""
    root = tmp_path_factory.mktemp('checkout')
    for name in FILES:
        shutil.copy2(repository / name, root / name)
    for name in FOLDERS:
        shutil.copytree(repository / name, root / name, ignore=shutil.ignore_patterns('__pycache__', '.mim'))
    return root


@pytest.fixture(scope='module')
def wheel(checkout, tmp_path_factory):
    return build_wheel(checkout, tmp_path_factory.mktemp('wheel'))


def files_below(folder, *, without=()) -> set[str]:
    names = (path.relative_to(folder).as_posix() for path in folder.rglob('*') if path.is_file())
    return {name for name in names if '__pycache__' not in name and name not in without}


def test_wheel_holds_recipes_and_tools(checkout, wheel):
    names = wheel.namelist()
    mim = {name.removeprefix('mmssl/.mim/') for name in names if name.startswith('mmssl/.mim/')}
    only_checkout = {'setup_env.sh', 'setup_mmcv.sh', 'run_tests.sh', 'quickstart.sh', 'quickstart.py', 'check_env.py'}
    expected = {f'configs/{name}' for name in files_below(checkout / 'configs')}
    expected |= {f'tools/{name}' for name in files_below(checkout / 'tools', without=only_checkout)}
    assert mim == expected | {'model-index.yml'}
    assert {'tools/train.py', 'tools/test.py', 'configs/_base_/default_runtime.py'} <= mim


def test_wheel_holds_the_whole_package_and_nothing_else(checkout, wheel):
    names = [name for name in wheel.namelist() if '.dist-info/' not in name and '/.mim/' not in name]
    assert set(names) == {f'mmssl/{name}' for name in files_below(checkout / 'mmssl')}


def test_metadata_states_the_ranges(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith('/METADATA'))
    metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata['Requires-Python'].replace(' ', '') in ('>=3.10,<3.13', '<3.13,>=3.10')
    requirements = [Requirement(line) for line in metadata.get_all('Requires-Dist')]
    hard = {requirement.name: requirement for requirement in requirements if requirement.marker is None}
    # A hard requirement on a host would put upstream's files over those of a fork.
    forked = {name for host in HOSTS.values() if len(host.ranges) > 1 for name in host.ranges}
    assert not forked & set(hard)
    assert not hard['setuptools'].specifier.contains('82.0.0')
    for host in HOSTS.values():
        upstream, versions = next(iter(host.ranges.items()))
        stated = [requirement for requirement in requirements if requirement.name == upstream]
        assert stated
        assert all(requirement.specifier == Requirement(upstream + versions).specifier for requirement in stated)


def test_installed_recipes_resolve(checkout, wheel, tmp_path):
    wheel.extractall(tmp_path)
    installed = tmp_path / 'mmssl' / '.mim' / 'configs'
    recipes = [path for path in installed.rglob('*.py') if '_base_' not in path.parts]
    assert recipes
    for path in recipes:
        original = checkout / 'configs' / path.relative_to(installed)
        # Lists of a split stand beside the recipe that names them.
        text = str(Config.fromfile(path).to_dict()).replace(str(installed), str(checkout / 'configs'))
        assert text == str(Config.fromfile(original).to_dict())


def test_second_build_holds_nothing_stale(checkout, wheel, tmp_path):
    """Files of an earlier build that the sources have lost do not come back."""
    extra = [checkout / 'configs' / 'gone.py', checkout / 'mmssl' / 'gone.py']
    for path in extra:
        path.touch()
    first = build_wheel(checkout, tmp_path / 'first').namelist()
    for path in extra:
        path.unlink()
    second = build_wheel(checkout, tmp_path / 'second').namelist()
    gone = {'mmssl/gone.py', 'mmssl/.mim/configs/gone.py'}
    assert set(first) - set(second) == gone
    assert set(second) == set(wheel.namelist())


def test_source_distribution_builds_the_same_wheel(checkout, wheel, tmp_path):
    run_python(checkout, 'setup.py', '-q', 'sdist', '-d', str(tmp_path / 'sdist'))
    (archive,) = (tmp_path / 'sdist').glob('*.tar.gz')
    shutil.unpack_archive(archive, tmp_path)
    (source,) = tmp_path.glob('mmssl-*')
    assert sorted(build_wheel(source, tmp_path / 'built').namelist()) == sorted(wheel.namelist())


def test_editable_install_links_the_sources(checkout, tmp_path):
    mim = checkout / 'mmssl' / '.mim'
    (mim / 'configs').mkdir(parents=True)  # a real folder from somewhere must not stay
    (mim / 'configs' / 'old.py').touch()
    pip = ('-m', 'pip', 'install', '-q', '--no-index', '--no-deps', '--no-build-isolation', '--target', str(tmp_path))
    run_python(checkout, *pip, '-e', '.')
    for name in ('configs', 'tools', 'model-index.yml'):
        assert (mim / name).is_symlink()
        assert (mim / name).resolve() == checkout / name
    assert not (checkout / 'configs' / 'old.py').exists()
    # The links of the source tree are no part of a wheel.
    shutil.rmtree(mim)
