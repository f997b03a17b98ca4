"""Time and peak memory of pixel propagation: PPM, LocalPPM and none, on maps of several sizes.

    python tools/analysis_tools/propagation_cost.py
    python tools/analysis_tools/propagation_cost.py --sizes 14 28 56 112 --ppm-up-to 56 --batch-size 4 --device cpu

What is measured: one forward and backward pass of the module alone, on a map of random features that needs a gradient,
with a random gradient of its output. "none" hands the map on. For each size the modules take turns (A, B, C, A, ...)
after a warm-up; the ratio to PPM is the median of the rounds' ratios.
Peak memory has the map, its gradient, the output and the output's gradient in it, which are there without a module too.
On CUDA it is what PyTorch's allocator held at most; on a CPU the growth of resident memory in a process of its own.
Growth is the exponent of the area between the smallest and the largest map of a module: 1 where the cost doubles with
the area, 2 where it quadruples. On maps so small that the fixed part of a call counts it comes out lower.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from prettytable import PrettyTable
from torch import nn
from tqdm import tqdm

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.peak_memory import reset_peak, resident_bytes
from mmssl.apis.timing import Quartiles, compare, time_in_turns
from mmssl.models.necks import PPM, LocalPPM

KINDS = ('PPM', 'LocalPPM', 'none')
WARMUP = 2


@dataclass(frozen=True)
class Workload:
    """A module and the map that it propagates.

    Attributes:
        kind: one of ``KINDS``.
        size: height and width of the map.
        batch_size: maps.
        channels: of the map.
        frame: n of LocalPPM.
        device: ``'cpu'`` or ``'cuda'``.
        threads: of PyTorch on a CPU.
    """

    kind: str
    size: int
    batch_size: int
    channels: int
    frame: int
    device: str
    threads: int


def build_step(workload: Workload) -> Callable[[], None]:
    """Builds a module and its map; returns one forward and backward pass."""
    module: nn.Module = nn.Identity()
    if workload.kind == 'PPM':
        module = PPM(in_channels=workload.channels)
    elif workload.kind == 'LocalPPM':
        module = LocalPPM(in_channels=workload.channels, frame_size=workload.frame)
    module.to(workload.device)
    shape = (workload.batch_size, workload.channels, workload.size, workload.size)
    x = torch.randn(shape, device=workload.device, requires_grad=True)
    gradient = torch.randn(shape, device=workload.device)

    def step() -> None:
        x.grad = None
        out = module(x)
        out.backward(gradient)

    return step


def measure_here(workload: Workload) -> int:
    """Peak bytes of one pass in this process, map and gradients included."""
    if workload.device == 'cuda':
        torch.cuda.empty_cache()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        build_step(workload)()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    torch.set_num_threads(workload.threads)
    # What libraries set up at their first call is not the module's.
    build_step(Workload(**{**asdict(workload), 'size': workload.frame, 'batch_size': 1}))()
    reset_peak()
    before, _ = resident_bytes()
    build_step(workload)()
    return max(0, resident_bytes()[1] - before)


@contextmanager
def exact_heap() -> Iterator[None]:
    """Processes started inside give every tensor over 64 kB pages of its own (glibc), so that gaps do not count."""
    key = 'MALLOC_MMAP_THRESHOLD_'
    before = os.environ.get(key)
    os.environ[key] = str(2**16)
    try:
        yield
    finally:
        if before is None:
            del os.environ[key]
        else:
            os.environ[key] = before


def measure_memory(workload: Workload) -> int:
    """Measures peak bytes; on a CPU in a new interpreter, to which nothing that ran before lends its memory.

    Raises:
        MemoryError: memory ran out.
    """
    try:
        if workload.device == 'cuda':
            return measure_here(workload)
        with exact_heap(), ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('spawn')) as pool:
            return pool.submit(measure_here, workload).result()
    except (BrokenProcessPool, torch.OutOfMemoryError):
        raise MemoryError(f'{workload.kind} on {workload.size}x{workload.size}: memory ran out') from None


def positive(text: str) -> int:
    """Parses a number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} found, a whole number above 0 expected')
    return int(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--sizes', nargs='+', type=positive, default=[14, 28, 56], metavar='N', help='maps of N x N')
    parser.add_argument('--ppm-up-to', type=positive, metavar='N', help='largest map for PPM (default: all)')
    parser.add_argument('--batch-size', type=positive, default=16, help='maps of a pass')
    parser.add_argument('--channels', type=positive, default=256, help='of a map')
    parser.add_argument('--frame', type=positive, default=7, help='n of LocalPPM, n x n pixels')
    parser.add_argument('--repeats', type=positive, default=10, help='timed rounds')
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='default: cuda where there is one')
    parser.add_argument('--out', type=Path, metavar='JSON', help='file for all numbers')
    args = parser.parse_args(argv)
    args.sizes = sorted(set(args.sizes))
    if args.sizes[0] < args.frame:
        parser.error(f'--sizes: {args.sizes[0]} found, at least --frame {args.frame} expected')
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: no CUDA device found')
    return args


def measure_size(args: argparse.Namespace, size: int) -> list[dict]:
    """Measures the modules on one size; returns a row for each: seconds, bytes, and their ratios to PPM."""
    kinds = [kind for kind in KINDS if kind != 'PPM' or args.ppm_up_to is None or size <= args.ppm_up_to]
    shared = {'channels': args.channels, 'frame': args.frame, 'device': args.device}
    workloads = [Workload(kind, size, args.batch_size, threads=torch.get_num_threads(), **shared) for kind in kinds]
    # Memory first: what the timed modules hold is not there yet.
    memories = [measure_memory(workload) for workload in workloads]
    durations = time_in_turns(
        [build_step(workload) for workload in workloads],
        args.repeats,
        warmup=WARMUP,
        synchronize=torch.cuda.synchronize if args.device == 'cuda' else None,
    )
    rows = []
    for kind, seconds, memory in zip(kinds, durations, memories, strict=True):
        row = {'kind': kind, 'size': size, 'latency_s': asdict(Quartiles.of(seconds)), 'peak_memory_bytes': memory}
        if kinds[0] == 'PPM':
            row['time_to_ppm'] = compare(seconds, durations[0]).paired_ratios.median
            row['memory_to_ppm'] = memory / memories[0]
        rows.append(row)
    return rows


def growth(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Exponent of the area between the smallest and the largest map of each module, of time and of memory."""
    exponents = {}
    for kind in KINDS:
        own = [row for row in rows if row['kind'] == kind]
        if len(own) > 1:
            first, last = own[0], own[-1]
            areas = 2 * math.log(last['size'] / first['size'])
            time = math.log(last['latency_s']['median'] / first['latency_s']['median'])
            memory = math.log(max(last['peak_memory_bytes'], 1) / max(first['peak_memory_bytes'], 1))
            exponents[kind] = {'time': time / areas, 'memory': memory / areas}
    return exponents


def report(rows: list[dict], exponents: dict[str, dict[str, float]]) -> str:
    """Lays the numbers out as a table, with the growth below."""
    table = PrettyTable(['map', 'module', 'median ms', 'quartiles ms', 'peak memory MB', 'time / PPM', 'memory / PPM'])
    table.align = 'r'
    table.align['module'] = 'l'
    for row in rows:
        low, median, high = (row['latency_s'][key] * 1e3 for key in ('lower', 'median', 'upper'))
        ratios = [f'{row[key]:.3f}' if key in row else '-' for key in ('time_to_ppm', 'memory_to_ppm')]
        times = [f'{median:.2f}', f'{low:.2f} .. {high:.2f}']
        memory = f'{row["peak_memory_bytes"] / 1e6:.1f}'
        table.add_row([f'{row["size"]}x{row["size"]}', row['kind'], *times, memory, *ratios])
    lines = [table.get_string()]
    for kind, exponent in exponents.items():
        lines.append(
            f'{kind} grows with the area to the power of {exponent["time"]:.2f} in time, '
            f'{exponent["memory"]:.2f} in memory'
        )
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> dict:
    """Measures all sizes; returns all numbers."""
    args = parse_args(argv)
    settings = {
        'device': args.device,
        'device_name': torch.cuda.get_device_name() if args.device == 'cuda' else platform.machine(),
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'batch_size': args.batch_size,
        'channels': args.channels,
        'frame': args.frame,
        'repeats': args.repeats,
    }
    print(', '.join(f'{key} {value}' for key, value in settings.items()))
    rows = [row for size in tqdm(args.sizes, unit='size') for row in measure_size(args, size)]
    exponents = growth(rows)
    print(report(rows, exponents))
    numbers = {**settings, 'rows': rows, 'growth': exponents}
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(numbers, indent=2))
        print(f'numbers written to {args.out}')
    return numbers


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS, MemoryError, torch.OutOfMemoryError):
        main()
