"""Time a segmentation network, or two in turns: inference, training step, peak memory.

    python tools/analysis_tools/benchmark.py CONFIG
    python tools/analysis_tools/benchmark.py CONFIG --against mmseg::erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py

What is timed. Inference: the model's ``test_step``, as tools/test.py runs it: uint8 images in host memory -> data
preprocessor (transfer, normalisation) -> network -> logits at the images' size -> class map, without gradients; batch
normalisation is folded before, where blocks declare how, unless ``--no-fold``. Training: one ``train_step`` with the
config's optimiser on synthetic labels, some of them ignored. Not timed: reading images, hooks, metrics. Weights are
random unless ``--checkpoint``.
With --parts, for a semi-supervised config: the whole training step (teacher's update included) beside the sum of its
parts measured alone in the same turns (teacher on the unlabelled batch, student forward and backward on the labelled
and on the mixed batch), and the share that mask, mixing, weighting and augmentation take.
With --tasks, for a config of joint training: the training step with its first 1, 2, ... pretext tasks, in joint and in
sequential mode, beside the segmentation alone and each task alone, all in turns; peak memory of each.
The two networks take turns (A, B, A, B, ...) after a warm-up; the ratio is CONFIG's time divided by --against's.
"""

import argparse
import json
import platform
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import DictAction
from prettytable import PrettyTable
from tqdm import tqdm

from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.peak_memory import measure_in_fresh_process
from mmssl.apis.segmentor_workload import WorkloadSpec, build_workload
from mmssl.apis.semi_supervised_parts import build_parts
from mmssl.apis.task_benchmark import report_tasks, run_tasks
from mmssl.apis.timing import Quartiles, compare, time_in_turns


def positive(text: str) -> int:
    """Parses a number of at least 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} found, a whole number above 0 expected')
    return int(text)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path, or package::path for a config of an installed package')
    parser.add_argument('--against', help='second config, measured in turns with the first')
    parser.add_argument('--shape', nargs=2, type=positive, default=(512, 1024), metavar=('H', 'W'), help='inference')
    parser.add_argument('--batch-size', type=positive, default=1, help='images per inference')
    parser.add_argument('--train-shape', nargs=2, type=positive, default=(192, 256), metavar=('H', 'W'))
    parser.add_argument('--train-batch-size', type=positive, default=8, help='images per training step')
    parser.add_argument('--mode', choices=('inference', 'train', 'both'), default='both')
    parser.add_argument('--parts', action='store_true', help='a semi-supervised step beside its parts, CONFIG alone')
    parser.add_argument('--tasks', action='store_true', help='a joint step by the number of its tasks, CONFIG alone')
    parser.add_argument('--repeats', type=positive, default=20, help='timed rounds')
    parser.add_argument('--warmup', type=positive, default=3, help='rounds before that, not timed')
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='default: cuda where there is one')
    parser.add_argument('--no-fold', action='store_true', help='keep batch normalisation as it is in inference')
    parser.add_argument('--no-memory', action='store_true', help='skip the measurement of peak memory')
    parser.add_argument('--checkpoint', help='weights of CONFIG')
    parser.add_argument('--against-checkpoint', help='weights of --against')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, default={}, help='key=value, for both configs')
    parser.add_argument('--against-cfg-options', nargs='+', action=DictAction, default={}, help='for --against alone')
    parser.add_argument('--out', type=Path, help='JSON file for all numbers')
    args = parser.parse_args(argv)
    if (args.against_checkpoint or args.against_cfg_options) and not args.against:
        parser.error('--against-checkpoint and --against-cfg-options need --against')
    if args.parts and args.tasks:
        parser.error('--parts and --tasks: one of them expected')
    for name in ('parts', 'tasks'):
        if getattr(args, name) and args.against:
            parser.error(f'--{name} measures CONFIG alone, not with --against')
        if getattr(args, name) and args.mode == 'inference':
            parser.error(f'--{name} measures a training step, not --mode inference')
    args.device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: no CUDA device found')
    return args


def make_specs(args: argparse.Namespace, mode: str) -> list[WorkloadSpec]:
    """Describes the one or two workloads of a mode."""
    inference = mode == 'inference'
    shared = {
        'mode': mode,
        'shape': tuple(args.shape if inference else args.train_shape),
        'batch_size': args.batch_size if inference else args.train_batch_size,
        'device': args.device,
        'fold': not args.no_fold,
    }
    specs = [WorkloadSpec(args.config, checkpoint=args.checkpoint, options=args.cfg_options, **shared)]
    if args.against:
        options = {**args.cfg_options, **args.against_cfg_options}
        specs.append(WorkloadSpec(args.against, checkpoint=args.against_checkpoint, options=options, **shared))
    return specs


def run_mode(args: argparse.Namespace, mode: str) -> dict:
    """Measures one mode; returns its numbers, in seconds, bytes and images per second."""
    specs = make_specs(args, mode)
    workloads = [build_workload(spec) for spec in specs]
    for spec, workload in zip(specs, workloads, strict=True):
        if mode == 'inference':
            what = 'not asked for' if args.no_fold else 'done' if workload.norms_left < workload.norms else 'no block'
            print(f'folding, {name_of(spec)}: {what} ({workload.norms} -> {workload.norms_left} norms)')
    durations = time_in_turns(
        [workload.step for workload in workloads],
        args.repeats,
        warmup=args.warmup,
        synchronize=torch.cuda.synchronize if args.device == 'cuda' else None,
        rounds=lambda indices: iter(tqdm(indices, desc=mode, unit='round')),
    )
    norms = [(workload.norms, workload.norms_left) for workload in workloads]
    del workloads
    rows = []
    for spec, seconds, (before, left) in zip(specs, durations, norms, strict=True):
        quartiles = Quartiles.of(seconds)
        rows.append(
            {
                'config': spec.config,
                'latency_s': asdict(quartiles),
                'images_per_s': spec.batch_size / quartiles.median,
                'norms': before,
                'norms_left': left,
                'seconds': seconds,
            }
        )
    result = {'mode': mode, 'shape': specs[0].shape, 'batch_size': specs[0].batch_size, 'runs': rows}
    if len(durations) == 2:
        result['ratio'] = asdict(compare(*durations))
    if not args.no_memory:
        for spec, row in zip(tqdm(specs, desc=f'{mode}, memory', unit='config'), rows, strict=True):
            row['peak_memory_bytes'] = measure_in_fresh_process(spec)
    return result


def run_parts(args: argparse.Namespace) -> dict:
    """Measures a semi-supervised step and its parts; returns the numbers, in seconds, and their ratios."""
    spec = make_specs(args, 'train')[0]
    built = build_parts(spec)
    names = ('step', *built.parts, 'mixing')
    durations = time_in_turns(
        [built.step, *built.parts.values(), built.mixing],
        args.repeats,
        warmup=args.warmup,
        synchronize=torch.cuda.synchronize if args.device == 'cuda' else None,
        rounds=lambda indices: iter(tqdm(indices, desc='parts', unit='round')),
    )
    sums = [sum(times) for times in zip(*durations[1:-1], strict=True)]
    return {
        'mode': 'parts',
        'shape': spec.shape,
        'batch_size': spec.batch_size,
        'graph_of_teacher': built.graph_of_teacher,
        'latency_s': {name: asdict(Quartiles.of(times)) for name, times in zip(names, durations, strict=True)},
        'step_to_parts': asdict(compare(durations[0], sums)),
        'mixing_to_step': asdict(compare(durations[-1], durations[0])),
    }


def measure_tasks(args: argparse.Namespace) -> dict:
    """Measures a joint training step by the number of its tasks."""
    return run_tasks(
        make_specs(args, 'train')[0],
        repeats=args.repeats,
        warmup=args.warmup,
        synchronize=torch.cuda.synchronize if args.device == 'cuda' else None,
        rounds=lambda indices: iter(tqdm(indices, desc='tasks', unit='round')),
        memory=not args.no_memory,
    )


def report_parts(result: dict) -> str:
    """Lays the parts of a step out as a table, with the two ratios below."""
    height, width = result['shape']
    table = PrettyTable(['part', 'median ms', 'quartiles ms'])
    table.title = f'training step, {result["batch_size"]} + {result["batch_size"]} images, {height}x{width}'
    table.align = 'r'
    table.align['part'] = 'l'
    for name, latency in result['latency_s'].items():
        low, median, high = (latency[key] * 1e3 for key in ('lower', 'median', 'upper'))
        table.add_row([name, f'{median:.1f}', f'{low:.1f} .. {high:.1f}'])
    ratios = {key: result[key]['paired_ratios']['median'] for key in ('step_to_parts', 'mixing_to_step')}
    return '\n'.join(
        [
            table.get_string(),
            f'step / sum of its three parts: {ratios["step_to_parts"]:.3f} (median of the rounds)',
            f'mixing / step: {ratios["mixing_to_step"]:.4f}',
            f'the teacher keeps {"a" if result["graph_of_teacher"] else "no"} graph',
        ]
    )


def name_of(spec: WorkloadSpec) -> str:
    """Shortens a config argument for the table."""
    return Path(spec.config.replace('::', '/')).stem


def report(result: dict) -> str:
    """Lays one mode's numbers out as a table, with the ratio below."""
    height, width = result['shape']
    table = PrettyTable(['config', 'median ms', 'quartiles ms', 'images/s', 'peak memory MB'])
    table.title = f'{result["mode"]}, batch {result["batch_size"]}, {height}x{width}'
    table.align = 'r'
    table.align['config'] = 'l'
    for row in result['runs']:
        latency = {key: value * 1e3 for key, value in row['latency_s'].items()}
        memory = row.get('peak_memory_bytes')
        table.add_row(
            [
                Path(row['config'].replace('::', '/')).stem,
                f'{latency["median"]:.1f}',
                f'{latency["lower"]:.1f} .. {latency["upper"]:.1f}',
                f'{row["images_per_s"]:.2f}',
                '-' if memory is None else f'{memory / 1e6:.0f}',
            ]
        )
    lines = [table.get_string()]
    if 'ratio' in result:
        pairs = result['ratio']['paired_ratios']
        lines.append(
            f'time of the first / time of the second: {result["ratio"]["ratio_of_medians"]:.3f} (medians), '
            f'{pairs["median"]:.3f} (median of the pairs, quartiles {pairs["lower"]:.3f} .. {pairs["upper"]:.3f})'
        )
        memories = [row.get('peak_memory_bytes') for row in result['runs']]
        if all(memories):
            lines.append(f'peak memory of the first / the second: {memories[0] / memories[1]:.3f}')
    return '\n'.join(lines)


def main(argv: list[str] | None = None) -> dict:
    """Runs the benchmark; returns all numbers."""
    args = parse_args(argv)
    sources = [args.config] + ([args.against] if args.against else [])
    wants = [load_config(source).get('env_cfg', {}).get('cudnn_benchmark', False) for source in sources]
    torch.backends.cudnn.benchmark = any(wants)
    device = torch.cuda.get_device_name() if args.device == 'cuda' else platform.processor() or platform.machine()
    settings = {
        'device': args.device,
        'device_name': device,
        'threads': torch.get_num_threads(),
        'torch': torch.__version__,
        'cudnn_benchmark': any(wants),
        'repeats': args.repeats,
        'warmup': args.warmup,
    }
    print(', '.join(f'{key} {value}' for key, value in settings.items()))
    modes = ('inference', 'train') if args.mode == 'both' else (args.mode,)
    results = []
    if args.parts or args.tasks:
        modes = ()
        results.append(run_parts(args) if args.parts else measure_tasks(args))
        print((report_parts if args.parts else report_tasks)(results[-1]), flush=True)
    for mode in modes:
        results.append(run_mode(args, mode))
        print(report(results[-1]), flush=True)
    numbers = {**settings, 'results': results}
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(numbers, indent=2))
        print(f'numbers written to {args.out}')
    return numbers


if __name__ == '__main__':
    with one_line_errors(*BUILD_ERRORS, MemoryError):
        main()
