"""Fixtures that every test may use: real data, host scope, flags."""

import functools
import http.server
import importlib.util
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import forked_runs
import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
# A script's variables hold the group, whose threads abort an interpreter that ends beside them now and then.
TEARDOWN = """
import os, sys, torch.distributed
torch.distributed.barrier()
sys.stdout.flush()
os._exit(0)
"""


def pytest_addoption(parser):
    parser.addoption('--runslow', action='store_true', help='also run the tests marked slow')
    parser.addoption('--faults', action='store_true', help='run only the tests marked faults, in full, and count')


def pytest_collection_modifyitems(config, items):
    def is_run(item) -> bool:
        return 'faults' in item.keywords if config.getoption('--faults') else 'faults_in_full' not in item.keywords

    config.hook.pytest_deselected(items=[item for item in items if not is_run(item)])
    items[:] = [item for item in items if is_run(item)]
    if config.getoption('--runslow'):
        return
    skip = pytest.mark.skip(reason='takes more than a minute; pass --runslow')
    for item in items:
        if 'slow' in item.keywords:
            item.add_marker(skip)


@pytest.fixture
def fault_number(request) -> Callable[[int, int], int]:
    """Called with two numbers of faults: gives the small one in the quick tests, the large one with --faults."""
    return lambda sample, full: full if request.config.getoption('--faults') else sample


@pytest.fixture
def count_faults(record_property) -> Callable[..., None]:
    """Note what was done to the project: its kind, how often, how often it survived, and what was lost.

    A fault is survived when what is promised for it came true: one line that names it, a run that goes on, or a
    checkpoint that is whole. The numbers are shown at the end of ``--faults``, and lost ones fail the test.
    """

    def count(kind: str, injected: int, survived: int, lost: int = 0) -> None:
        record_property('faults', (kind, injected, survived, lost))
        assert survived == injected and not lost, f'{kind}: {survived} of {injected} survived, {lost} lost'

    return count


def pytest_terminal_summary(terminalreporter, config):
    if not config.getoption('--faults'):
        return
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, 'when', None) != 'call':
                continue
            for kind, *numbers in (each for name, each in report.user_properties if name == 'faults'):
                for line in (kind, 'all'):
                    total[line] = [sum(pair) for pair in zip(total[line], numbers, strict=True)]
    width = max((len(kind) for kind in total), default=0) + 2
    terminalreporter.section('faults')
    terminalreporter.write_line(f'{"":{width}}{"injected":>10}{"survived":>10}{"lost":>10}')
    for kind in sorted(total, key=lambda kind: (kind == 'all', kind)):
        terminalreporter.write_line(f'{kind:{width}}' + ''.join(f'{number:>10}' for number in total[kind]))


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


@pytest.fixture
def run_tool(repository, tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Call ``main()`` of a tool, named below ``tools/``, with a command line in ``tmp_path``; status and outputs."""

    def run(tool: str, *arguments) -> tuple[int, str, str]:
        spec = importlib.util.spec_from_file_location('tool', repository / 'tools' / tool)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
        capsys.readouterr()
        try:
            module.main()
            status = 0
        except SystemExit as stop:
            status = stop.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def server(tmp_path) -> Iterator[str]:
    """Address of a web server of this process over ``tmp_path/www``."""
    (tmp_path / 'www').mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(tmp_path / 'www'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{httpd.server_port}'
        httpd.shutdown()


@pytest.fixture(scope='session')
def run_on_two_ranks() -> Callable[..., list[str]]:
    """Run a script as rank 0 and rank 1 of two processes without a GPU; both must end well.

    Called with the script's text, a folder to run it in, and what it finds in ``sys.argv`` behind that folder and the
    folder ``tests/test_engine``, from which it may import. Returns what each rank printed, errors included.
    """

    def run(script: str, root: Path, *arguments) -> list[str]:
        (root / 'script.py').write_text(script + TEARDOWN)
        command = [str(part) for part in (root / 'script.py', root, REPOSITORY / 'tests/test_engine', *arguments)]
        codes = forked_runs.run_ranks(forked_runs.run_script, command, log=root / 'printed', seconds=150)
        printed = [(root / f'printed.{rank}').read_text() for rank in range(2)]
        assert codes == [0, 0], '\n'.join(text[-3000:] for text in printed)
        return printed

    return run
