"""Which host packages mmssl stands on, which versions of them it supports, and what to do about others.

The one place for the ranges: ``setup.py`` reads ``HOSTS``, ``import mmssl`` checks the required ones, code
for mmdet calls ``require_host``. Only metadata is read, no host is imported.
"""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata
from pathlib import Path
from typing import NamedTuple


class Host(NamedTuple):
    """A package that mmssl stands on and the distributions that provide it.

    Attributes:
        module: Import name.
        ranges: Distribution name to version specifier (PEP 440); upstream first, then the fork, which
            provides the same import name.
        tested: Version of the upstream distribution in ``requirements/``.
        required: Whether ``import mmssl`` fails without it.
        install: Command that installs the tested version.
        binary: Glob, inside the package, of a compiled file without which the package is of no use.
    """

    module: str
    ranges: dict[str, str]
    tested: str
    required: bool
    install: str
    binary: str = ''


class Found(NamedTuple):
    """An installed distribution: its name and version ('' where the version cannot be read)."""

    distribution: str
    version: str


# Both stop with an assertion on any mmcv from 2.2 on; the fork of mmcv is numbered 2.3, their own forks take it.
_REFUSE_MMCV_FORK = ('mmsegmentation', 'mmdet')

# mmpretrain 1.2.0 takes three functions from transformers.modeling_utils, where 4.56 has them no more; it goes on
# without them, and its import ends with "NoneType takes no arguments". Where transformers is missing it imports.
_TRANSFORMERS_OF_MMPRETRAIN = '<4.56'

_MMCV_INSTALL = 'MMCV_WITH_OPS=1 pip install --no-build-isolation mmcv==2.1.0'

# Lower bounds: torch 2.6 is the first whose weights_only loading is safe (CVE-2025-32434); mmengine before
# 0.10.6 registers Adafactor twice when transformers is installed. Upper bounds: mmcv 2.1 asks for C++17 and
# the headers of torch 2.15 for C++20; mmseg 1.2.2 and mmdet 3.3.0 refuse mmcv 2.2. Forks: mmengine 0.10.11
# was shipped without mmengine.dist; the others are bounded by their next major version.
HOSTS = {
    host.module: host
    for host in (
        Host('torch', {'torch': '>=2.6,<2.15'}, '2.12.1', True, 'pip install torch==2.12.1 torchvision==0.27.1'),
        Host(
            'mmengine',
            {'mmengine': '>=0.10.6,<1.0', 'onedl-mmengine': '>=0.10.9,!=0.10.11,<1.0'},
            '0.10.7',
            True,
            'pip install mmengine==0.10.7',
        ),
        Host('mmcv', {'mmcv': '>=2.0.0,<2.2.0', 'onedl-mmcv': '>=2.3,<3.0'}, '2.1.0', True, _MMCV_INSTALL, '_ext*'),
        Host(
            'mmseg',
            {'mmsegmentation': '>=1.2.0,<2.0', 'onedl-mmsegmentation': '>=1.3.0rc0,<2.0'},
            '1.2.2',
            True,
            'pip install mmsegmentation==1.2.2 ftfy regex',
        ),
        Host(
            'mmdet',
            {'mmdet': '>=3.3.0,<4.0', 'onedl-mmdetection': '>=3.4,<4.0'},
            '3.3.0',
            False,
            'pip install mmdet==3.3.0',
        ),
        Host(
            'mmpretrain',
            {'mmpretrain': '>=1.2.0,<2.0', 'onedl-mmpretrain': '>=1.3,<2.0'},
            '1.2.0',
            True,
            'pip install mmpretrain==1.2.0',
        ),
    )
}


def installed(distribution: str) -> str | None:
    """Version of an installed distribution, None if it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def find_package(module: str) -> Path | None:
    """Folder of an importable top-level package, found without importing it; None if there is none."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def find_host(host: Host) -> list[Found]:
    """Lists the installed distributions that provide a host package.

    A source checkout on ``PYTHONPATH`` has no metadata; its version is read from its ``version.py``.

    Args:
        host: The host package.

    Returns:
        One entry for each distribution found, upstream first; more than one when a fork was installed
        over the original; empty when the package cannot be imported at all.
    """
    found = [Found(name, version) for name in host.ranges if (version := installed(name)) is not None]
    if found:
        return found
    folder = find_package(host.module)
    if folder is None:
        return []
    source = folder / 'version.py'
    match = re.search(r"^__version__ *= *['\"]([^'\"]+)", source.read_text(), re.M) if source.is_file() else None
    return [Found(f'{next(iter(host.ranges))} ({folder})', match[1] if match else '')]


def expected(host: Host) -> str:
    """The supported versions in words, such as ``mmdet>=3.3.0,<4.0 (or onedl-mmdetection>=3.4,<4.0)``."""
    upstream, *forks = (f'{name}{versions}' for name, versions in host.ranges.items())
    return upstream + (f' (or {" or ".join(forks)})' if forks else '')


def find_problem(host: Host) -> str | None:
    """Says in one line what is wrong with the installed host package.

    Args:
        host: The host package.

    Returns:
        The line: what was found, what is expected, how to install it. None when all is well.
    """
    from packaging.specifiers import SpecifierSet

    wanted = f'mmssl needs {expected(host)}'
    found = find_host(host)
    if host.module == 'mmcv' and (lite := installed('mmcv-lite')) is not None:
        return f'{wanted}, found mmcv-lite {lite}, which has no operators: pip uninstall -y mmcv-lite; {host.install}'
    if not found:
        return f'{wanted}, found none: {host.install}'
    if len(found) > 1:
        names = ' '.join(entry.distribution for entry in found)
        both = ' and '.join(f'{entry.distribution} {entry.version}' for entry in found)
        return f'{wanted}, found {both} in the same folder: pip uninstall -y {names}; {host.install}'
    name, version = found[0]
    versions = host.ranges[name.split(' ')[0]]
    # A local build ("2.13.0+cpu") and a nightly ("2.13.0.dev0") belong to the range that their number is in.
    if not version or not SpecifierSet(versions, prereleases=True).contains(version):
        return f'{wanted}, found {name} {version or "of unknown version"}: {host.install}'
    if name in _REFUSE_MMCV_FORK and (fork := installed('onedl-mmcv')) is not None:
        return (
            f'{name} {version} refuses onedl-mmcv {fork}: pip uninstall -y {name}; pip install {list(host.ranges)[1]}'
        )
    # Without pycocotools, which mmdet brings, mmpretrain leaves out all that imports transformers.
    transformers = installed('transformers') if name == 'mmpretrain' and installed('pycocotools') else None
    if transformers and not SpecifierSet(_TRANSFORMERS_OF_MMPRETRAIN).contains(transformers):
        return (
            f'mmpretrain {version} does not import beside transformers {transformers}, expected none or '
            f"transformers{_TRANSFORMERS_OF_MMPRETRAIN}: pip install 'transformers{_TRANSFORMERS_OF_MMPRETRAIN}'"
        )
    folder = find_package(host.module)
    if folder is None:
        return f'{wanted}, found {name} {version} without its files: pip uninstall -y {name}; {host.install}'
    if host.binary and not any(folder.glob(host.binary)):
        again = f'pip uninstall -y {name}; {host.install}'
        return f'{wanted} with operators, found {name} {version} without them ({folder}/{host.binary}): {again}'
    return None


def check_hosts() -> None:
    """Checks the packages that mmssl imports: torch, mmengine, mmcv, mmseg, mmpretrain.

    Raises:
        ImportError: One line that names each package missing or of the wrong version, the versions found
            and supported, and the command that installs it.
    """
    problems = [problem for host in HOSTS.values() if host.required and (problem := find_problem(host))]
    if problems:
        # In a checkout one command installs them all.
        whole = ' | the whole tested set: bash tools/setup_env.sh' if len(problems) > 1 else ''
        raise ImportError(' | '.join(problems) + whole)


def require_host(module: str, *, needed_by: str = '') -> None:
    """Checks a package that only some recipes need, before they import it.

    Args:
        module: Import name, for example ``'mmdet'``.
        needed_by: What needs it, for the message, for example ``'Mask R-CNN'``.

    Raises:
        ImportError: One line: the package, the version found, the versions supported, the command.
        ValueError: If mmssl knows no host package of that name.
    """
    if module not in HOSTS:
        raise ValueError(f'unknown host package {module!r}: expected one of {", ".join(HOSTS)}')
    problem = find_problem(HOSTS[module])
    if problem:
        raise ImportError(f'{needed_by}: {problem}' if needed_by else problem)
