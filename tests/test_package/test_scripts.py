"""tools/run_tests.sh, tools/quickstart.sh and .ci/run call the right commands: a checkout with a recording Python."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

RECORDER = """#!/bin/bash
echo "OMP=$OMP_NUM_THREADS $*" >>"{log}"
[[ "$*" != "$FAIL_AT"* || -z $FAIL_AT ]] || exit 3
case "$*" in
  *sched_getaffinity*) echo "${{CORES:-2}}" ;;
  *tools/train.py*) made=last_checkpoint; option=--work-dir ;;
  *tools/test.py*) made=sheet.png; option=--show-dir ;;
esac
while [[ -n ${{option:-}} && $# -gt 1 ]]; do
  [[ $1 != "$option" ]] || {{ mkdir -p "$2"; echo elsewhere/iter_7.pth >"$2/$made"; }}
  shift
done
"""
OWN = 'configs/erfnet/erfnet_1xb8-150i_streets-192x256.py'


def compared_configs(root):
    """The two recipes that stand at the top of the quick start."""
    names = dict(re.findall(r'^(SUPERVISED|CLASSMIX)=(\S+)$', (root / 'tools' / 'quickstart.sh').read_text(), re.M))
    return names['SUPERVISED'], names['CLASSMIX']


@pytest.fixture
def checkout(repository, tmp_path):
    """A checkout whose Python writes down how it is called, and whose environment is made at once."""
    root = tmp_path / 'main'
    (root / 'tools').mkdir(parents=True)
    (root / '.ci').mkdir()
    (root / '.venv' / 'bin').mkdir(parents=True)
    for name in ('tools/run_tests.sh', 'tools/quickstart.sh', '.ci/run'):
        shutil.copy(repository / name, root / name)
    for name in (OWN, *compared_configs(root)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / 'tools' / 'setup_env.sh').write_text(f'echo "setup $*" >>"{root}/calls"\nexit ${{SETUP_STATUS:-0}}\n')
    python = root / '.venv' / 'bin' / 'python'
    python.write_text(RECORDER.format(log=root / 'calls'))
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


def test_quickstart_compares_two_trainings(checkout):
    work = 'ROOT/work_dirs/quickstart'
    old = checkout / 'work_dirs' / 'quickstart' / 'comparison.txt'
    old.parent.mkdir(parents=True)
    old.touch()
    done, calls = run(checkout, 'tools/quickstart.sh')
    assert done.returncode == 0, done.stderr
    (supervised, classmix), (one, two) = compared_configs(checkout), (f'{work}/supervised', f'{work}/classmix')
    trained = [f'{one}/{Path(supervised).name} {one}/iter_7.pth', f'{two}/{Path(classmix).name} {two}/iter_7.pth']
    assert calls[:-1] == [
        'setup ',
        f'OMP= tools/train.py {supervised} --work-dir {one}',
        f'OMP= tools/train.py {classmix} --work-dir {two}',
        f'OMP= tools/test.py {trained[0]} --work-dir {one}/test',
        f'OMP= tools/test.py {trained[1]} --work-dir {two}/test',
    ]
    parts = 'train_supervised=N train_classmix=N test_supervised=N test_classmix=N'
    assert re.sub(r'(start |=)\d+', r'\1N', calls[-1].removeprefix('OMP= ')) == (
        f'tools/quickstart.py comparison {work} --start N --seconds {parts} '
        f'--supervised {trained[0]} --classmix {trained[1]}'
    )
    assert not old.exists()  # the table of an earlier call


def test_quickstart_with_a_recipe_of_ones_own(checkout):
    folder = checkout / 'my results'
    done, calls = run(checkout, 'tools/quickstart.sh', '--config', str(checkout / OWN), '--work-dir', str(folder))
    assert done.returncode == 0, done.stderr
    work = 'ROOT/my results'
    dumped = f'{work}/{Path(OWN).name}'
    assert calls[:3] == [
        'setup ',
        f'OMP= tools/train.py ROOT/{OWN} --work-dir {work}',
        f'OMP= tools/test.py {dumped} {work}/iter_7.pth --work-dir {work}/test --show-dir {work}/test/pictures',
    ]
    (last,) = calls[3:]
    assert re.fullmatch(rf'OMP= tools/quickstart.py table {work} --checkpoint {work}/iter_7.pth --start \d+', last)
    assert (folder / 'quickstart.png').is_file()


@pytest.mark.parametrize(
    ('arguments', 'options'),
    [
        (['--seed', '3'], '--cfg-options randomness.seed=3'),
        (['--seed', '3', '--', '--cfg-options', 'a=1'], '--cfg-options randomness.seed=3 a=1'),
        (['--seed', '3', '--', '--amp'], '--amp --cfg-options randomness.seed=3'),
        (['--', '--cfg-options', 'a=1'], '--cfg-options a=1'),
    ],
)
def test_quickstart_passes_options_to_both_trainings(checkout, arguments, options):
    _, calls = run(checkout, 'tools/quickstart.sh', *arguments)
    assert calls[1].endswith(f'--work-dir ROOT/work_dirs/quickstart/supervised {options}')
    assert calls[2].endswith(f'--work-dir ROOT/work_dirs/quickstart/classmix {options}')


@pytest.mark.parametrize(('tool', 'ran'), [('tools/train.py', 2), ('tools/test.py', 4), ('tools/quickstart.py', 6)])
def test_quickstart_stops_when_a_part_fails(checkout, tool, ran):
    done, calls = run(checkout, 'tools/quickstart.sh', FAIL_AT=tool)
    assert done.returncode == 3
    assert len(calls) == ran


def test_quickstart_names_recipes_that_exist(repository):
    for name in compared_configs(repository):
        assert (repository / name).is_file(), name


@pytest.mark.parametrize(
    ('script', 'arguments', 'message'),
    [
        ('tools/quickstart.sh', ['--frobnicate'], 'unknown option --frobnicate'),
        ('tools/quickstart.sh', ['--seed', 'x'], "--seed is 'x', expected a whole number"),
        ('tools/quickstart.sh', ['--config', '/no such.py'], 'config not found: /no such.py'),
        ('tools/quickstart.sh', ['--', '--work-dir', 'a'], '--work-dir stands after --, expected before it'),
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


def test_model_index_lists_every_metafile(repository):
    lines = (repository / 'model-index.yml').read_text().splitlines()
    assert lines[0] == 'Import:'
    assert sorted(line.removeprefix('- ') for line in lines[1:]) == sorted(
        path.relative_to(repository).as_posix() for path in (repository / 'configs').glob('*/metafile.yml')
    )
