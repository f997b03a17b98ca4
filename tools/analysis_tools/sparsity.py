"""Report the zeros of a checkpoint, what they would save, and write it without them.

    python tools/analysis_tools/sparsity.py CONFIG CHECKPOINT --shape 512 1024
    python tools/analysis_tools/sparsity.py CONFIG CHECKPOINT --export small.pth
    python tools/analysis_tools/sparsity.py --restore small.pth --out checkpoint.pth

The table has a line for each convolution and linear layer: weights, zeros, sparsity, and theoretical FLOPs of one image
of --shape, dense and with zeros skipped (a multiplication and an addition are two; counted from the shapes of a real
forward pass). Below: non-zero parameters of the model and the size of its weights as a file, dense and compressed.

Unstructured zeros do not make dense kernels faster: PyTorch multiplies by a zero as by any number, so FLOPs "skipped"
are what hardware or kernels for sparse weights could save at most. --benchmark measures it: the checkpoint against the
same network with its zeros replaced by random numbers, in turns, and beside it that network against a copy of itself.

--export writes weights and meta data with a bit for each number and the numbers that are not zero; --restore gives the
checkpoint back, equal in every bit, and refuses a file that was changed.
"""

import argparse
import copy
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from mmengine.config import DictAction
from prettytable import PrettyTable
from torch import nn
from tqdm import tqdm

from mmssl.apis.any_model import build_model, fill_model
from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.apis.timing import compare, time_in_turns
from mmssl.pruning.compressed import compress, decompress
from mmssl.pruning.selection import prunable_layers
from mmssl.pruning.sparsity import ModelSparsity, measure_sparsity
from mmssl.tensor_file import read_state_dict, read_tensor_file, write_tensor_file


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', nargs='?', help='config file, or package::file for one of a host package')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint or state dict of its model')
    parser.add_argument('--shape', nargs=2, type=int, default=(512, 1024), metavar=('H', 'W'), help='pixels')
    parser.add_argument('--channels', type=int, default=3, help='of the input')
    parser.add_argument('--benchmark', action='store_true', help='time inference with and without zeros')
    parser.add_argument('--repeats', type=int, default=20, help='timed rounds of --benchmark')
    parser.add_argument('--device', choices=('cpu', 'cuda'), help='of --benchmark (default: cuda where there is one)')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all numbers')
    parser.add_argument('--export', type=Path, metavar='FILE', help='write the compressed checkpoint')
    parser.add_argument('--restore', type=Path, metavar='FILE', help='read a compressed checkpoint, needs --out')
    parser.add_argument('--out', type=Path, metavar='FILE', help='where --restore writes the checkpoint')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args(argv)
    if bool(args.restore) != bool(args.out):
        parser.error('--restore and --out need each other')
    if args.restore and (args.config or args.export or args.benchmark or args.json):
        parser.error('--restore needs no more than --out: the compressed file holds everything')
    if not args.restore and not args.checkpoint:
        parser.error('CONFIG and CHECKPOINT expected, or --restore and --out')
    if min(*args.shape, args.channels, args.repeats) < 1:
        parser.error('--shape, --channels, --repeats: numbers above 0 expected')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: no CUDA device found')
    return args


def file_bytes(content: dict) -> int:
    """Counts the bytes that ``torch.save`` writes."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.tell()


def forward_of(model: nn.Module, shape: tuple[int, int, int], source: str) -> Callable[[], object]:
    """One forward pass over zeros, as ``mode='tensor'`` of the hosts' models; tried once.

    Raises:
        ValueError: the model does not take such an input.
    """
    device = next(model.parameters()).device
    images = torch.zeros(1, *shape, device=device)

    @torch.no_grad()
    def forward():
        return model(images, mode='tensor')

    try:
        forward()
    except Exception as error:  # whatever a model of any host package makes of another shape
        text = ' '.join(str(error).split())[:200]
        raise ValueError(f'--shape: {source} does not take an input of {(1, *shape)}: {text}') from None
    return forward


def filled(model: nn.Module) -> nn.Module:
    """A copy whose zero weights are random numbers, of the spread of the layer's other weights."""
    dense = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for _, _, module in prunable_layers(dense):
            weight = module.weight
            other = weight[weight != 0]
            spread = other.std().item() if other.numel() > 1 else 1.0
            noise = torch.randn(weight.shape, generator=generator).to(weight) * (spread or 1.0)
            weight.copy_(torch.where(weight == 0, noise, weight))
    return dense


def benchmark(model: nn.Module, shape: tuple[int, int, int], source: str, device: str, repeats: int) -> dict:
    """Times inference with zeros and without, in turns; a second network without zeros shows the noise."""
    model = model.to(device)
    dense_model = filled(model)
    forwards = [forward_of(each, shape, source) for each in (model, dense_model, copy.deepcopy(dense_model))]
    pruned, dense, again = time_in_turns(
        forwards,
        repeats,
        synchronize=torch.cuda.synchronize if device == 'cuda' else None,
        rounds=lambda indices: tqdm(indices, desc='with and without zeros, in turns', unit='round'),
    )
    found = {'pruned_s': pruned, 'dense_s': dense, **asdict(compare(pruned, dense))}
    return {'device': device, **found, 'noise': asdict(compare(again, dense))}


def report(found: ModelSparsity, shape: tuple[int, int], sizes: tuple[int, int]) -> str:
    """Lays out the layers and, below, the model."""
    table = PrettyTable(['weight', 'weights', 'zero', 'sparsity', 'MFLOPs dense', 'zeros skipped'])
    table.title = f'one image of {shape[0]}x{shape[1]}'
    table.align = 'r'
    table.align['weight'] = 'l'
    for row in found.layers:
        flops = [f'{count / 1e6:,.2f}' for count in (row.dense_flops, row.sparse_flops)]
        table.add_row([row.name, f'{row.weights:,}', f'{row.zeros:,}', f'{row.sparsity:.2%}', *flops])
    if found.other_flops:
        other = f'{found.other_flops / 1e6:,.2f}'
        table.add_row(['other operations', '', '', '', other, other])
    total, flops = found.total, [f'{count / 1e6:,.2f}' for count in (found.dense_flops, found.sparse_flops)]
    table.add_row(['all', f'{total.weights:,}', f'{total.zeros:,}', f'{total.sparsity:.2%}', *flops])
    saved = 1 - found.sparse_flops / found.dense_flops if found.dense_flops else 0.0
    dense, small = sizes
    return '\n'.join(
        [
            table.get_string(),
            f'parameters {found.parameters:,}, of which not zero {found.nonzero:,} '
            f'({found.nonzero / max(1, found.parameters):.2%})',
            f'theoretical FLOPs that skipping zeros would save: {saved:.2%}',
            f'file of the weights: {dense:,} bytes dense, {small:,} bytes compressed ({small / dense:.2%})',
        ]
    )


def conclude(numbers: dict) -> str:
    """Says what the benchmark found."""
    pairs, noise = numbers['paired_ratios'], numbers['noise']
    return (
        f'inference on {numbers["device"]}, time with / without zeros: {numbers["ratio_of_medians"]:.3f} (medians; '
        f'quartiles of the pairs {pairs["lower"]:.3f} .. {pairs["upper"]:.3f})\n'
        f'two networks without zeros, for the noise of this machine: {noise["ratio_of_medians"]:.3f} '
        f'({noise["paired_ratios"]["lower"]:.3f} .. {noise["paired_ratios"]["upper"]:.3f})\n'
        'Unstructured zeros do not make dense kernels faster: these multiply by a zero as by any number, and the '
        'operations counted as skipped above are carried out.'
    )


def main(argv: Sequence[str] | None = None) -> dict:
    """Reports, exports or restores; returns the numbers."""
    args = parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        if args.restore:
            state, meta = decompress(read_tensor_file(args.restore, '--restore'), f'--restore {args.restore}')
            write_tensor_file({'meta': meta, 'state_dict': state}, args.out)
            print(f'{len(state)} tensors written to {args.out}')
            return {}
        model = build_model(load_config(args.config, args.cfg_options), args.config).eval()
        state = read_state_dict(args.checkpoint, 'checkpoint')
        fill_model(model, state, f'checkpoint {args.checkpoint}')
        shape = (args.channels, *args.shape)
        found = measure_sparsity(model, forward_of(model, shape, args.config))
        meta = read_tensor_file(args.checkpoint, 'checkpoint').get('meta')
        meta = meta if isinstance(meta, dict) else {}
        content = compress(state, meta)
        sizes = (file_bytes({'meta': meta, 'state_dict': state}), file_bytes(content))
        print(report(found, args.shape, sizes))
        numbers = {**asdict(found), 'shape': list(args.shape), 'dense_bytes': sizes[0], 'compressed_bytes': sizes[1]}
        numbers |= {'dense_flops': found.dense_flops, 'sparse_flops': found.sparse_flops}
        if args.export:
            write_tensor_file(content, args.export)
            print(f'compressed checkpoint written to {args.export}')
        if args.benchmark:
            device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
            numbers['benchmark'] = benchmark(model, shape, args.config, device, args.repeats)
            print(conclude(numbers['benchmark']))
        if args.json:
            args.json.parent.mkdir(parents=True, exist_ok=True)
            args.json.write_text(json.dumps(numbers, indent=2))
            print(f'numbers written to {args.json}')
    return numbers


if __name__ == '__main__':
    main()
