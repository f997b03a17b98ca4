"""A run that was killed and resumed gives the bits of one that was not, for every method."""

import signal

import pytest
from forked_runs import run, run_ranks
from resume_cases import ITERATIONS, METHODS, SAVED, differences, losses, train, trained

WORLDS = {1: 'one process', 2: 'two gloo ranks'}
QUICK = [('supervised', 1), ('pixpro, momentum bn', 1), ('classmix', 1), ('classmix', 2)]


def pytest_generate_tests(metafunc):
    """A sample in the quick tests; every method, alone and on ranks, with --faults."""
    full = metafunc.config.getoption('--faults')
    cases = [(method, world) for method in METHODS for world in WORLDS] if full else QUICK
    metafunc.parametrize(('method', 'world'), cases, ids=[f'{method}, {WORLDS[world]}' for method, world in cases])


def finish(*arguments, log, world: int, **options) -> list[int]:
    """Train on one process, or on ranks; returns exit codes."""
    if world == 1:
        return [run(_keywords, arguments, options, log=log)]
    return run_ranks(_keywords, arguments, options, log=log, world=world)


def _keywords(arguments: tuple, options: dict) -> None:
    train(*arguments, **options)


@pytest.mark.faults
def test_resumed_is_uninterrupted(tmp_path, camvid_root, coco128_root, method, world, request, count_faults):
    full = request.config.getoption('--faults')
    whole, log = tmp_path / 'whole', tmp_path / 'log'
    printed = log if world == 1 else tmp_path / 'log.0'
    assert finish(method, whole, 0, log=log, world=world) == [0] * world, printed.read_text()
    expected, logged = trained(whole), losses(whole)
    assert sorted(logged) == list(range(1, ITERATIONS + 1))
    # The whole run has none. Ranks without workers take minutes more: --faults --runslow.
    both = full and (world == 1 or request.config.getoption('--runslow'))
    for workers in (0, 2) if both else (2,):
        cut = tmp_path / f'{workers}-workers'
        codes = finish(method, cut, workers, log=log, world=world, kill=True)
        assert codes == [-signal.SIGKILL] * world
        assert (cut / 'last_checkpoint').read_text() == f'iter_{SAVED}.pth'
        codes = finish(method, cut, workers, log=log, world=world, resume=True)
        assert codes == [0] * world, printed.read_text()
        found = differences(expected, trained(cut))
        assert not found, f'{len(found)}: {found[:10]}'
        assert losses(cut) == logged
        count_faults('kills, then resumed to the same bits', world, world)
