"""tools/setup_env.sh stops with one clear line before the long work starts; nothing is installed here."""

import os
import shutil
import subprocess
import sys

import pytest

NEEDED = ('bash', 'dirname', 'cat', 'awk', 'df', 'du', 'ls', 'sed', 'date', 'mkdir', 'rm', 'find', 'tail', 'basename')


@pytest.fixture
def machine(tmp_path):
    """A PATH with the usual commands and nothing else: no Python, no compiler."""
    folder = tmp_path / 'bin'
    folder.mkdir()
    for name in NEEDED:
        (folder / name).symlink_to(shutil.which(name))
    return folder


def add_command(machine, name: str, script: str):
    (machine / name).write_text(f'#!/bin/bash\n{script}\n')
    (machine / name).chmod(0o755)


@pytest.fixture
def setup_env(repository, machine, tmp_path):
    """Runs the script on that machine and returns its status, output and errors."""

    def run(*options: str, **environment: str):
        clean = {'PATH': str(machine), 'HOME': str(tmp_path), 'PIP_NO_INDEX': '1', **environment}
        command = [shutil.which('bash'), str(repository / 'tools' / 'setup_env.sh'), *options]
        return subprocess.run(
            command, env=clean, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    return run


def fails_with(done, text: str) -> bool:
    """One line on standard error, and a status that stops a calling script."""
    assert done.returncode == 1
    assert done.stderr.count('\n') == 1
    assert done.stderr.startswith('error: ')
    return text in done.stderr


REAL_PYTHON = f'exec {getattr(sys, "_base_executable", sys.executable)} "$@"'


def test_help(setup_env):
    done = setup_env('--help')
    assert done.returncode == 0
    for option in ('--venv DIR', '--active', '--python PATH', '--min-disk GB', '--build-mmcv'):
        assert option in done.stdout


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--frobnicate'], 'unknown option --frobnicate'),
        (['--venv'], '--venv needs a value'),
        (['--min-disk', 'much'], "--min-disk is 'much', expected a whole number of GB"),
        (['--active', '--python', 'python3'], '--active does not go with --venv or --python'),
        (['--active'], 'no environment is active'),
    ],
)
def test_wrong_options(setup_env, options, message):
    assert fails_with(setup_env(*options), message)


def test_no_python(setup_env, tmp_path):
    assert fails_with(setup_env('--venv', 'env'), 'expected 3.10, 3.11 or 3.12 with the module venv; found: none')
    assert not (tmp_path / 'env').exists()


@pytest.mark.parametrize('version', ['3.9', '3.13'])
def test_python_of_another_version(setup_env, machine, version):
    add_command(machine, 'python3', f'echo {version}')
    assert fails_with(
        setup_env('--venv', 'env'), f'expected 3.10, 3.11 or 3.12 with the module venv; found: python3 is {version}'
    )
    assert fails_with(setup_env('--venv', 'env', '--python', 'python3'), f'python3 is {version}')


def test_python_that_does_not_run(setup_env, machine):
    add_command(machine, 'python3.11', 'exit 127')  # as a version manager's shim of a version that is not installed
    assert fails_with(setup_env('--venv', 'env'), 'found: none')
    assert fails_with(setup_env('--python', 'python3.11', '--venv', 'env'), '--python python3.11 does not run')


def test_python_without_venv(setup_env, machine):
    add_command(machine, 'python3', '[[ $2 != *ensurepip* ]] && echo 3.12')
    assert fails_with(setup_env('--venv', 'env'), 'lacks the module venv (Debian, Ubuntu: apt install python3.12-venv)')


def test_no_disk(setup_env, machine, tmp_path):
    add_command(machine, 'python3', REAL_PYTHON)
    done = setup_env('--venv', 'env', '--min-disk', '9999999')
    assert fails_with(done, f'{tmp_path} has ')
    assert 'expected 9999999 GB' in done.stderr
    assert not (tmp_path / 'env').exists()


def test_folder_that_is_no_environment(setup_env, tmp_path):
    (tmp_path / 'env').mkdir()
    (tmp_path / 'env' / 'thesis.tex').touch()
    assert fails_with(setup_env('--venv', 'env'), 'exists and is not a Python environment')
    assert (tmp_path / 'env' / 'thesis.tex').exists()


def test_no_compiler_and_no_wheel(setup_env, machine, tmp_path):
    """Found out with pip of the new environment, before torch is fetched."""
    add_command(machine, 'python3', REAL_PYTHON)
    done = setup_env('--venv', 'env', '--min-disk', '0')
    assert fails_with(done, 'no C++ compiler (c++) and no wheel of mmcv for this Python')
    assert not any(tmp_path.glob('env/lib/python*/site-packages/torch'))
    assert not (tmp_path / 'env' / '.mmssl-setup' / 'complete').exists()


def test_environment_of_another_python(setup_env, machine, tmp_path):
    add_command(machine, 'python3', 'echo 3.10')
    (tmp_path / 'env' / 'bin').mkdir(parents=True)
    add_command(tmp_path / 'env' / 'bin', 'python', 'echo 3.12')
    assert fails_with(setup_env('--venv', 'env', '--python', 'python3'), 'has Python 3.12, --python is 3.10')


def test_scripts_parse(repository):
    scripts = [*(repository / 'tools').glob('*.sh'), repository / '.ci' / 'run']
    for script in scripts:
        subprocess.run(['bash', '-n', str(script)], check=True)
    # The others are called as `bash tools/NAME.sh`.
    assert os.access(repository / '.ci' / 'run', os.X_OK)
    assert {'setup_env.sh', 'run_tests.sh', 'quickstart.sh'} <= {script.name for script in scripts}
