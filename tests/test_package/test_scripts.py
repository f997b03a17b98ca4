"""tools/run_tests.sh, tools/quickstart.sh and .ci/run call the right commands: a checkout with a recording Python."""

import json
import runpy
import shutil
import subprocess

import pytest

RECORDER = """#!/bin/bash
echo "OMP=$OMP_NUM_THREADS $*" >>"{log}"
[[ "$*" != "$FAIL_AT"* || -z $FAIL_AT ]] || exit 3
case "$*" in
  *sched_getaffinity*) echo "${{CORES:-2}}" ;;
  *tools/train.py*) mkdir -p "{work}"; echo "elsewhere/iter_7.pth" >"{work}/last_checkpoint" ;;
  *tools/test.py*) mkdir -p "{work}/test/pictures"; echo drawn >"{work}/test/pictures/sheet.png" ;;
esac
"""


@pytest.fixture
def checkout(repository, tmp_path):
    """A checkout whose Python writes down how it is called, and whose environment is made at once."""
    root = tmp_path / 'main'
    (root / 'tools').mkdir(parents=True)
    (root / '.ci').mkdir()
    (root / '.venv' / 'bin').mkdir(parents=True)
    config = root / 'configs' / 'erfnet' / 'erfnet_1xb8-150i_streets-192x256.py'
    config.parent.mkdir(parents=True)
    config.touch()
    for name in ('tools/run_tests.sh', 'tools/quickstart.sh', '.ci/run'):
        shutil.copy(repository / name, root / name)
    (root / 'tools' / 'setup_env.sh').write_text(f'echo "setup $*" >>"{root}/calls"\nexit ${{SETUP_STATUS:-0}}\n')
    python = root / '.venv' / 'bin' / 'python'
    python.write_text(RECORDER.format(log=root / 'calls', work=root / 'work_dirs' / 'quickstart'))
    python.chmod(0o755)
    return root


def run(checkout, script: str, *arguments: str, **environment: str):
    """Runs a script from another folder, without input; returns its status and the calls it made."""
    plain = {'PATH': '/usr/local/bin:/usr/bin:/bin', 'HOME': str(checkout), **environment}
    command = ['bash', str(checkout / script), *arguments]
    done = subprocess.run(command, env=plain, cwd='/', capture_output=True, text=True, stdin=subprocess.DEVNULL)
    calls = checkout / 'calls'
    lines = calls.read_text().splitlines() if calls.is_file() else []
    return done, [line.replace(str(checkout), 'ROOT') for line in lines if 'sched_getaffinity' not in line]


def test_run_tests(checkout):
    done, calls = run(checkout, 'tools/run_tests.sh', 'tests/test_models', '-k', 'erf net')
    assert done.returncode == 0
    assert calls == [
        'setup ',
        'OMP=1 -m ruff check .',
        'OMP=1 -m ruff format --check .',
        'OMP=1 -m pytest -n 2 tests/test_models -k erf net',
    ]


def test_run_tests_on_one_core_with_options(checkout):
    done, calls = run(checkout, 'tools/run_tests.sh', '--python', 'py thon', '-x', CORES='1', OMP_NUM_THREADS='4')
    assert done.returncode == 0
    assert calls[0] == 'setup --python py thon'
    assert calls[-1] == 'OMP=4 -m pytest -x'


@pytest.mark.parametrize(('fault', 'ran'), [({'SETUP_STATUS': '1'}, 1), ({'FAIL_AT': '-m ruff check'}, 2)])
def test_run_tests_stops_at_the_first_failure(checkout, fault, ran):
    done, calls = run(checkout, 'tools/run_tests.sh', **fault)
    assert done.returncode != 0
    assert len(calls) == ran


def test_quickstart(checkout):
    done, calls = run(checkout, 'tools/quickstart.sh')
    assert done.returncode == 0, done.stderr
    config = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'
    work = 'ROOT/work_dirs/quickstart'
    dumped = f'{work}/erfnet_1xb8-150i_streets-192x256.py'
    assert calls[:3] == [
        'setup ',
        f'OMP= tools/train.py {config} --work-dir {work}',
        f'OMP= tools/test.py {dumped} {work}/iter_7.pth --work-dir {work}/test --show-dir {work}/test/pictures',
    ]
    assert calls[3].startswith(f'OMP= tools/quickstart.py {work} --checkpoint {work}/iter_7.pth --seconds ')
    assert (checkout / 'work_dirs' / 'quickstart' / 'quickstart.png').read_text() == 'drawn\n'


@pytest.mark.parametrize(
    ('arguments', 'options'),
    [
        (['--seed', '3'], '--cfg-options randomness.seed=3'),
        (['--seed', '3', '--', '--cfg-options', 'a=1'], '--cfg-options randomness.seed=3 a=1'),
        (['--seed', '3', '--', '--amp'], '--amp --cfg-options randomness.seed=3'),
        (['--', '--cfg-options', 'a=1'], '--cfg-options a=1'),
    ],
)
def test_quickstart_passes_options_to_training(checkout, arguments, options):
    _, calls = run(checkout, 'tools/quickstart.sh', *arguments)
    assert calls[1].endswith(f'--work-dir ROOT/work_dirs/quickstart {options}')


def test_quickstart_stops_when_training_fails(checkout):
    done, calls = run(checkout, 'tools/quickstart.sh', FAIL_AT='tools/train.py')
    assert done.returncode == 3
    assert len(calls) == 2


@pytest.mark.parametrize(
    ('script', 'arguments', 'message'),
    [
        ('tools/quickstart.sh', ['--frobnicate'], 'unknown option --frobnicate'),
        ('tools/quickstart.sh', ['--seed', 'x'], "--seed is 'x', expected a whole number"),
        ('tools/quickstart.sh', ['--config', '/no.py'], 'config not found: /no.py'),
        ('tools/run_tests.sh', ['--venv'], '--venv needs a value'),
    ],
)
def test_wrong_options(checkout, script, arguments, message):
    done, _ = run(checkout, script, *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {message}')
    assert done.stderr.count('\n') == 1


@pytest.mark.parametrize('script', ['tools/quickstart.sh', 'tools/run_tests.sh'])
def test_help(checkout, script):
    done, calls = run(checkout, script, '--help')
    assert done.returncode == 0
    assert done.stdout.startswith(f'usage: bash {script}')
    assert calls == []


def fake_shared(checkout, *names):
    for name in names:
        (checkout.parent / 'shared' / name).mkdir(parents=True)
    recorder = 'echo "$PIP_FIND_LINKS|${CI:-}|$PWD|$*"; cat\n'
    (checkout / 'tools' / 'run_tests.sh').write_text(recorder)


def test_ci_offers_wheels_and_links_images(checkout):
    fake_shared(checkout, 'wheels', 'data/CamVid', 'data/coco128')
    shared = checkout.parent / 'shared'
    for _ in range(2):  # the second time the links are there
        done, _ = run(checkout, '.ci/run', '-x', PIP_FIND_LINKS='/elsewhere/wheels')
        assert done.returncode == 0, done.stderr
        assert done.stdout == f'{shared}/wheels /elsewhere/wheels|true|{checkout}|-x\n'
        for name in ('CamVid', 'coco128'):
            assert (checkout / 'data' / name).resolve() == shared / 'data' / name
            assert list((shared / 'data' / name).iterdir()) == []  # no link inside the folder


def test_ci_leaves_a_real_folder(checkout):
    fake_shared(checkout, 'data/CamVid', 'data/coco128')
    own = checkout / 'data' / 'CamVid'
    own.mkdir(parents=True)
    (own / 'mine.png').touch()
    done, _ = run(checkout, '.ci/run')
    assert done.returncode == 0
    assert not own.is_symlink()
    assert [path.name for path in own.iterdir()] == ['mine.png']


def test_ci_without_shared_folder(checkout):
    fake_shared(checkout)
    done, _ = run(checkout, '.ci/run')
    assert done.stdout == f'||{checkout}|\n'  # tests on real images are skipped with a reason, not failed
    assert not (checkout / 'data').exists()


def test_table_of_the_quickstart(repository, tmp_path):
    metrics = {
        'mIoU': 40.04,
        'mAcc': 55.0,
        'per_class': {'Sky': {'IoU': 80.08, 'Acc': 100.0}, 'Bicyclist': {'IoU': 0.0, 'Acc': 10.0}},
    }
    metrics['per_class']['Pole'] = {'IoU': None, 'Acc': None}
    table = runpy.run_path(str(repository / 'tools' / 'quickstart.py'))['format_table'](json.loads(json.dumps(metrics)))
    assert table.splitlines() == [
        'class       IoU    Acc',
        '----------------------',
        'Sky        80.1  100.0',
        'Bicyclist   0.0   10.0',
        'Pole          -      -',
        '----------------------',
        'mean       40.0   55.0',
    ]


def test_model_index_lists_every_metafile(repository):
    lines = (repository / 'model-index.yml').read_text().splitlines()
    assert lines[0] == 'Import:'
    assert sorted(line.removeprefix('- ') for line in lines[1:]) == sorted(
        path.relative_to(repository).as_posix() for path in (repository / 'configs').glob('*/metafile.yml')
    )
