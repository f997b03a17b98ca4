"""Command lines that the shell scripts make, and how they end when a process of theirs fails or gets a signal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from interrupted_cases import until

RECORD = """#!/usr/bin/env bash
if [[ $1 == -c ]]; then
    [[ $2 == *torch* ]] && echo "${FAKE_GPUS} ${FAKE_SIGNALS:-False}" || echo 8
    exit
fi
printf '%s\\n' "$@" > "$RECORD"
printf 'PYTHONPATH=%s\\nOMP_NUM_THREADS=%s\\n' "$PYTHONPATH" "${OMP_NUM_THREADS:-}" > "$RECORD.env"
exit "${FAKE_STATUS:-0}"
"""


@pytest.fixture
def run(repository, tmp_path):
    """Runs a script with a fake python and srun; returns the process, their arguments and environment."""
    for name in ('python', 'srun'):
        (tmp_path / name).write_text(RECORD)
        (tmp_path / name).chmod(0o755)
    record = tmp_path / 'record'

    def call(script, *arguments, **environment):
        record.unlink(missing_ok=True)
        clean = {name: value for name, value in os.environ.items() if name not in ('PYTHONPATH', 'OMP_NUM_THREADS')}
        settings = {'PATH': f'{tmp_path}:{os.environ["PATH"]}', 'RECORD': str(record), 'FAKE_GPUS': '0', **environment}
        command = ['bash', str(repository / 'tools' / script), *arguments]
        process = subprocess.run(command, env={**clean, **settings}, cwd=tmp_path, capture_output=True, text=True)
        words = record.read_text().splitlines() if record.exists() else None
        return process, words, (tmp_path / 'record.env').read_text() if words else ''

    return call


def test_single_node_on_cpu(run, repository):
    process, words, environment = run('dist_train.sh', 'my config.py', '2', '--cfg-options', 'a=b c')
    assert process.returncode == 0, process.stderr
    assert words[:2] == ['-m', 'torch.distributed.run']
    script = words.index(f'{repository}/tools/train.py')
    assert words[script + 1 :] == ['my config.py', '--launcher', 'pytorch', '--cfg-options', 'a=b c']
    assert words[2:script] == [
        *('--nnodes', '1', '--rdzv-backend', 'c10d', '--rdzv-endpoint', 'localhost:0', '--local-addr', 'localhost'),
        *('--nproc-per-node', '2'),
    ]
    assert 'OMP_NUM_THREADS=4\n' in environment  # 8 cores for two processes
    assert environment.startswith(f'PYTHONPATH={repository}/tools/..\n')
    assert '2 processes on the CPU' in process.stdout


def test_several_nodes_on_gpus(run, repository):
    nodes = {'NNODES': '2', 'NODE_RANK': '1', 'MASTER_ADDR': 'node0', 'PORT': '1234', 'FAKE_GPUS': '4'}
    process, words, environment = run('dist_test.sh', 'c.py', 'w.pth', '4', '--out', 'x', PYTHONPATH='/other', **nodes)
    assert process.returncode == 0, process.stderr
    script = words.index(f'{repository}/tools/test.py')
    assert words[script + 1 :] == ['c.py', 'w.pth', '--launcher', 'pytorch', '--out', 'x']
    assert words[2:script] == [
        *('--nnodes', '2', '--node-rank', '1', '--master-addr', 'node0', '--master-port', '1234'),
        *('--nproc-per-node', '4'),
    ]
    assert 'OMP_NUM_THREADS=\n' in environment
    assert f'PYTHONPATH={repository}/tools/..:/other\n' in environment


def test_chosen_port_on_one_node(run):
    _, words, _ = run('dist_train.sh', 'c.py', '1', PORT='2345')
    assert words[words.index('--master-port') + 1] == '2345'
    assert words[words.index('--master-addr') + 1] == '127.0.0.1'
    assert '--rdzv-endpoint' not in words


def test_signals_that_torchrun_passes_on(run):
    _, words, _ = run('dist_train.sh', 'c.py', '1', FAKE_SIGNALS='True')
    assert words[words.index('--signals-to-handle') + 1] == 'SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1'
    assert '--signals-to-handle' not in run('dist_train.sh', 'c.py', '1')[1]  # a torch without it


def test_exit_code_is_passed_on(run):
    assert run('dist_train.sh', 'c.py', '1', FAKE_STATUS='7')[0].returncode == 7
    assert run('slurm_train.sh', 'p', 'j', 'c.py', 'w', FAKE_STATUS='7')[0].returncode == 7


@pytest.mark.parametrize(
    ('arguments', 'environment', 'message'),
    [
        (['dist_train.sh', 'c.py'], {}, 'usage: bash tools/dist_train.sh CONFIG GPUS'),
        (['dist_test.sh', 'c.py', '2'], {}, 'usage: bash tools/dist_test.sh CONFIG CHECKPOINT GPUS'),
        (['dist_train.sh', 'c.py', 'two'], {}, "GPUS: 'two' found"),
        (['dist_train.sh', 'c.py', '0'], {}, "GPUS: '0' found"),
        (['dist_train.sh', 'c.py', '4'], {'FAKE_GPUS': '2'}, 'at most 2'),
        (['dist_train.sh', 'c.py', '1'], {'NNODES': '2', 'NODE_RANK': '2'}, 'NODE_RANK: 2 found'),
        (['dist_train.sh', 'c.py', '1'], {'NNODES': '2'}, 'MASTER_ADDR is not set'),
        (
            ['slurm_train.sh', 'p', 'j', 'c.py'],
            {},
            'usage: bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR',
        ),
        (
            ['slurm_test.sh', 'p', 'j', 'c.py'],
            {},
            'usage: bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT',
        ),
        (['slurm_train.sh', 'p', 'j', 'c.py', 'w'], {'GPUS': 'x'}, "GPUS: 'x' found"),
        (['slurm_train.sh', 'p', 'j', 'c.py', 'w'], {'GPUS': '0'}, 'GPUS 0'),
    ],
)
def test_bad_arguments(run, arguments, environment, message):
    process, words, _ = run(*arguments, **environment)
    assert process.returncode == 2
    assert words is None
    assert message in process.stderr
    assert process.stderr.count('\n') == 1


def test_slurm_train(run, repository):
    environment = {'GPUS': '16', 'GPUS_PER_NODE': '4', 'CPUS_PER_TASK': '6', 'SRUN_ARGS': '--qos=high --time=60'}
    process, words, variables = run('slurm_train.sh', 'part', 'job', 'c.py', 'work', '--resume', **environment)
    assert process.returncode == 0, process.stderr
    assert words == [
        *('--partition=part', '--job-name=job', '--ntasks=16', '--cpus-per-task=6', '--gres=gpu:4'),
        *('--ntasks-per-node=4', '--kill-on-bad-exit=1', '--qos=high', '--time=60'),
        *(
            'python',
            '-u',
            f'{repository}/tools/train.py',
            'c.py',
            '--work-dir',
            'work',
            '--launcher',
            'slurm',
            '--resume',
        ),
    ]
    assert variables.startswith(f'PYTHONPATH={repository}/tools/..\n')


def test_slurm_without_gpus_and_with_few(run, repository):
    _, words, _ = run('slurm_test.sh', 'part', 'job', 'c.py', 'w.pth', GPUS='2', GPUS_PER_NODE='0')
    assert not any(word.startswith(('--gres', '--ntasks-per-node')) for word in words)
    assert words[words.index('-u') + 1 :] == [f'{repository}/tools/test.py', 'c.py', 'w.pth', '--launcher', 'slurm']
    _, words, _ = run('slurm_train.sh', 'part', 'job', 'c.py', 'w', GPUS='2')
    assert {'--gres=gpu:2', '--ntasks-per-node=2', '--ntasks=2'} <= set(words)


TRAIN = """
import os, sys
from pathlib import Path
sys.path.insert(0, os.environ['TESTS'])
import interrupted_cases
fault = {'what': 'error', 'at': 3, 'rank': 1} if sys.argv[1] == 'fail' else None
interrupted_cases.train(Path(sys.argv[1]), {'seconds': 0.2, 'fault': fault})
"""


@pytest.mark.faults
@pytest.mark.faults_in_full
@pytest.mark.parametrize('what', ['fail', 'SIGTERM', 'SIGUSR1'])
def test_torchrun_ends_all(tmp_path, repository, what, count_faults):
    """A training of two processes by the script itself, in which one fails, or that gets a signal."""
    (tmp_path / 'train.py').write_text(TRAIN)
    script = os.path.relpath(tmp_path / 'train.py', repository / 'tools')
    clean = {'PYTHON': sys.executable, 'TESTS': str(repository / 'tests'), 'CUDA_VISIBLE_DEVICES': ''}
    with (tmp_path / 'log').open('w') as log:
        command = ['bash', str(repository / 'tools/dist_run.sh'), script, '1', 'usage', what, '2']
        process = subprocess.Popen(command, env=os.environ | clean, cwd=tmp_path, stdout=log, stderr=log)
    printed = lambda: Path(tmp_path / 'log').read_text()  # noqa: E731
    if what != 'fail':
        until(lambda: '[1/6]' in printed() or process.poll() is not None, [], seconds=120)
        process.send_signal(getattr(signal, what))
    assert process.wait(timeout=120) == 1
    if what == 'fail':
        assert 'error: point of rank 1: damaged' in printed()
        assert not (tmp_path / what / 'last_checkpoint').exists()
    else:
        newest = (tmp_path / what / 'last_checkpoint').read_text()
        (line,) = [line for line in printed().splitlines() if line.startswith(what)]
        assert line.endswith(f'{what}/{newest} is written; the same command with --resume goes on'), line
    count_faults('failing ranks' if what == 'fail' else 'preemption signals', 1, 1)
