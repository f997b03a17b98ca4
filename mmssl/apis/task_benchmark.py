"""Time and memory of joint training by the number of tasks, beside its parts."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

from prettytable import PrettyTable
from tqdm import tqdm

from mmssl.apis.config import load_config
from mmssl.apis.peak_memory import measure_in_fresh_process
from mmssl.apis.segmentor_workload import WorkloadSpec, build_workload
from mmssl.apis.timing import Quartiles, compare, time_in_turns


def task_specs(spec: WorkloadSpec) -> dict[tuple[str, int | str], WorkloadSpec]:
    """What is measured of a recipe with k pretext tasks.

    Args:
        spec: of the recipe, whose model is a ``MultiTaskSegmentor``.

    Returns:
        By mode and number or name: ``('segmentation', 0)``, the segmentor alone; ``('single', name)``, each task alone
        beside it; and ``('joint', n)`` and ``('sequential', n)``, the first n tasks, n from 1 to k.

    Raises:
        ValueError: another model.
    """
    model = load_config(spec.config, spec.options).get('model', {})
    names = tuple(model.get('tasks', ()))
    if not names:
        raise ValueError(f'config {spec.config}: model {model.get("type")} has no tasks, a MultiTaskSegmentor expected')
    specs = {('segmentation', 0): replace(spec, tasks=())}
    specs |= {('single', name): replace(spec, tasks=(name,), task_mode='joint') for name in names}
    for mode in ('joint', 'sequential'):
        for count in range(1, len(names) + 1):
            specs[mode, count] = replace(spec, tasks=names[:count], task_mode=mode)
    return specs


def run_tasks(
    spec: WorkloadSpec,
    *,
    repeats: int,
    warmup: int,
    synchronize: Callable[[], None] | None = None,
    rounds: Callable[[range], Iterator[int]] = iter,
    memory: bool = True,
) -> dict:
    """Measures a training step with the first 1, 2, ... tasks of a recipe, in both modes, all in turns.

    A joint step is compared, round by round, with the sum of the steps of its tasks alone less all but one of the
    segmentation's; the peak memory of either mode with the largest of its tasks alone.

    Args:
        spec: the recipe, shape, batch size and device; its mode is not looked at.
        repeats: timed rounds.
        warmup: rounds before that.
        synchronize: waits for an accelerator.
        rounds: wraps the range of rounds, to show progress.
        memory: whether peak memory is measured, each in a fresh process.

    Returns:
        ``rows``, one for each measurement: ``mode``, ``tasks``, ``latency_s``, ``to_parts`` (time to that sum, for 1
        and more tasks), ``peak_memory_bytes`` and ``memory_to_largest``, the last two where memory is measured.
    """
    specs = task_specs(replace(spec, mode='train'))
    workloads = [build_workload(each) for each in specs.values()]
    measured = time_in_turns(
        [workload.step for workload in workloads], repeats, warmup=warmup, synchronize=synchronize, rounds=rounds
    )
    del workloads
    seconds = dict(zip(specs, measured, strict=True))
    peaks = {}
    if memory:
        peaks = {key: measure_in_fresh_process(each) for key, each in tqdm(specs.items(), desc='memory', unit='step')}
    rows = []
    for key, each in specs.items():
        mode, _ = key
        row = {'mode': mode, 'tasks': each.tasks, 'latency_s': asdict(Quartiles.of(seconds[key]))}
        if mode in ('joint', 'sequential'):
            singles = [seconds['single', name] for name in each.tasks]
            rounds_of = zip(*singles, seconds['segmentation', 0], strict=True)
            parts = [sum(single) - (len(single) - 1) * alone for *single, alone in rounds_of]
            row['to_parts'] = asdict(compare(seconds[key], parts))
        if memory:
            row['peak_memory_bytes'] = peaks[key]
            if mode in ('joint', 'sequential'):
                row['memory_to_largest'] = peaks[key] / max(peaks['single', name] for name in each.tasks)
        rows.append(row)
    return {'mode': 'tasks', 'shape': spec.shape, 'batch_size': spec.batch_size, 'rows': rows}


def report_tasks(result: dict) -> str:
    """Lays the measurements of :func:`run_tasks` out as a table."""
    height, width = result['shape']
    table = PrettyTable(['step', 'tasks', 'median ms', 'quartiles ms', 'to its parts', 'peak MB', 'to the largest'])
    table.title = f'training step, {result["batch_size"]} images a task, {height}x{width}'
    table.align = 'r'
    table.align['step'] = table.align['tasks'] = 'l'
    for row in result['rows']:
        low, median, high = (row['latency_s'][key] * 1e3 for key in ('lower', 'median', 'upper'))
        ratio = row.get('to_parts', {}).get('paired_ratios', {}).get('median')
        peak, largest = row.get('peak_memory_bytes'), row.get('memory_to_largest')
        table.add_row(
            [
                row['mode'],
                ' + '.join(row['tasks']) or '-',
                f'{median:.0f}',
                f'{low:.0f} .. {high:.0f}',
                '-' if ratio is None else f'{ratio:.3f}',
                '-' if peak is None else f'{peak / 1e6:.0f}',
                '-' if largest is None else f'{largest:.3f}',
            ]
        )
    return '\n'.join(
        [
            table.get_string(),
            'to its parts: time / (the steps of its tasks alone, less all but one segmentation step), median of the '
            'rounds',
            'to the largest: peak memory / that of the largest of its tasks alone',
        ]
    )
