"""The pins of requirements/ lie inside the ranges that the code states, and each has its reason."""

import re

import pytest
from packaging.requirements import Requirement

from mmssl.host_versions import HOSTS


@pytest.fixture
def pins(repository) -> list[tuple[Requirement, str]]:
    """Every requirement in requirements/ with the comment beside it."""
    found = []
    for file in sorted((repository / 'requirements').glob('*.txt')):
        for line in file.read_text().splitlines():
            requirement, _, reason = line.partition('#')
            if requirement.strip():
                found.append((Requirement(requirement.strip()), reason.strip()))
    return found


def test_each_pin_has_its_reason(pins):
    assert [str(requirement) for requirement, reason in pins if len(reason.split()) < 3] == []


def test_tested_hosts_are_pinned_inside_their_ranges(pins):
    exact = {r.name: next(iter(r.specifier)).version for r, _ in pins if str(r.specifier).startswith('==')}
    for host in HOSTS.values():
        upstream, versions = next(iter(host.ranges.items()))
        assert exact[upstream] == host.tested
        assert Requirement(upstream + versions).specifier.contains(host.tested)
        assert f'=={host.tested}' in host.install


def test_setuptools_still_has_pkg_resources(pins):
    setuptools = next(requirement for requirement, _ in pins if requirement.name == 'setuptools')
    (pin,) = setuptools.specifier
    assert int(pin.version.split('.')[0]) < 82


@pytest.mark.parametrize('python', ['3.10', '3.11', '3.12'])
def test_one_pin_of_numpy_and_matplotlib_for_each_python(pins, python):
    environment = {'python_version': python, 'python_full_version': f'{python}.0'}
    for name in ('numpy', 'matplotlib'):
        fitting = [r for r, _ in pins if r.name == name and (r.marker is None or r.marker.evaluate(environment))]
        assert len(fitting) == 1


def test_requirements_txt_lists_all_but_mmcv(repository):
    listed = set(re.findall(r'^-r requirements/(\w+)\.txt$', (repository / 'requirements.txt').read_text(), re.M))
    there = {file.stem for file in (repository / 'requirements').glob('*.txt')}
    assert there - listed == {'mmcv', 'tests', 'lint'}
    assert listed <= there
