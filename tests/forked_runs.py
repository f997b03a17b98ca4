"""Trainings in processes of their own, which can be killed; all are forked from one that has imported everything."""

import multiprocessing
import os
import runpy
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HOSTS = ['mmdet.models', 'mmseg.models', 'mmpretrain.models', 'mmdet.datasets', 'mmseg.datasets', 'mmpretrain.datasets']
OURS = ['mmssl.models', 'mmssl.datasets', 'mmssl.engine.hooks', 'mmssl.engine.loops', 'mmssl.evaluation']
TESTS = Path(__file__).resolve().parent

_context = multiprocessing.get_context('forkserver')
_context.set_forkserver_preload(['mmssl.registry', *HOSTS, *OURS, 'forked_runs'])


def start(target: Callable, *arguments, log: Path, environment: dict[str, str] | None = None):
    """Start ``target(*arguments)`` in a process of its own, the leader of a group, one thread, without a GPU.

    Args:
        target: a function of a module that a new process can import.
        log: gets what the process prints.
        environment: set before the call.

    Returns:
        The process: ``join``, ``exitcode`` (negative for a signal), ``pid``. An error that leaves ``target`` is
        printed, and its code is 1.
    """
    process = _context.Process(target=_call, args=(target, arguments, str(log), environment or {}))
    process.start()
    return process


def run(target: Callable, *arguments, log: Path, environment: dict | None = None, seconds: float = 120) -> int:
    """Start and wait; returns the exit code.

    Raises:
        TimeoutError: it took longer; it is killed.
    """
    return wait([start(target, *arguments, log=log, environment=environment)], seconds)[0]


def run_ranks(target: Callable, *arguments, log: Path, world: int = 2, seconds: float = 180) -> list[int]:
    """Run ``target`` once a rank, with torchrun's variables; a file of output for each rank beside ``log``."""
    return wait(start_ranks(target, *arguments, log=log, world=world), seconds)


def start_ranks(target: Callable, *arguments, log: Path, world: int = 2) -> list:
    """Start ``target`` once a rank."""
    with socket.socket() as free:
        free.bind(('localhost', 0))
        port = str(free.getsockname()[1])
    common = {'WORLD_SIZE': str(world), 'MASTER_ADDR': 'localhost', 'MASTER_PORT': port}
    return [
        start(
            target,
            *arguments,
            log=log.with_name(f'{log.name}.{rank}'),
            environment=common | {'RANK': str(rank), 'LOCAL_RANK': str(rank)},
        )
        for rank in range(world)
    ]


def wait(processes: Sequence, seconds: float) -> list[int]:
    """Exit codes of processes.

    Raises:
        TimeoutError: one took longer; all are killed.
    """
    try:
        for process in processes:
            process.join(seconds)
            if process.exitcode is None:
                raise TimeoutError(f'process {process.pid} has not ended after {seconds} s')
        return [process.exitcode for process in processes]
    finally:
        for process in processes:
            if process.exitcode is None:
                kill_group(process)


def run_script(command: Sequence[str]) -> None:
    """Target that runs a script as a program, in its folder.

    Args:
        command: the script's path, and what it finds in ``sys.argv`` behind that.
    """
    os.chdir(Path(command[0]).parent)
    sys.argv = list(command)
    runpy.run_path(command[0], run_name='__main__')


def kill_group(process) -> None:
    """SIGKILL to a process and its workers."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()  # it has not become a leader yet
    process.join()


def _call(target: Callable, arguments: tuple, log: str, environment: dict[str, str]) -> None:
    os.setpgid(0, 0)
    os.environ.update({'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''} | environment)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.stdout, sys.stderr = os.fdopen(1, 'w', buffering=1), os.fdopen(2, 'w', buffering=1)
    import mmengine.config.config as texts
    import torch

    torch.set_num_threads(1)
    texts.FormatCode = lambda text, **_: (
        text,
        True,
    )  # its layout takes a second, nobody reads it
    target(*arguments)
