"""Fixtures that every test may use: real data, host scope, flags."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser):
    parser.addoption('--runslow', action='store_true', help='also run the tests marked slow')


def pytest_collection_modifyitems(config, items):
    if config.getoption('--runslow'):
        return
    skip = pytest.mark.skip(reason='takes more than a minute; pass --runslow')
    for item in items:
        if 'slow' in item.keywords:
            item.add_marker(skip)


def _real_data(name: str) -> Path:
    root = REPOSITORY / 'data' / name
    if not root.exists():
        # In CI the folder is linked; a missing one there is a failure of CI, not a reason to skip.
        assert os.environ.get('CI') != 'true', f'{root} is missing'
        pytest.skip(f'{root} is missing: see README.md, "Data"')
    return root


@pytest.fixture(scope='session')
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope='session')
def camvid_root() -> Path:
    """CamVid in the layout of the SegNet tutorial: 367 training and 101 validation images."""
    return _real_data('CamVid')


@pytest.fixture(scope='session')
def coco128_root() -> Path:
    """The first 128 images of COCO train2017, 100 of them annotated."""
    return _real_data('coco128')


@pytest.fixture
def mmseg_scope():
    """Unprefixed names resolve in mmseg, as inside a Runner with ``default_scope='mmseg'``."""
    from mmengine.registry import DefaultScope, init_default_scope

    init_default_scope('mmseg')
    yield
    DefaultScope._instance_dict.clear()
