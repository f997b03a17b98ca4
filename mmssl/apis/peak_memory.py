"""Peak memory of a workload, measured in a process of its own."""

import multiprocessing
import re
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import torch
from torch import nn

from mmssl.apis.segmentor_workload import WorkloadSpec, build_workload

STEPS = 2  # the first allocates gradients and optimiser state, the second runs beside them


def tensor_bytes(model: nn.Module) -> int:
    """Counts the bytes of all parameters and buffers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in [*model.parameters(), *model.buffers()])


def resident_bytes() -> tuple[int, int]:
    """Reads this process's resident memory.

    Returns:
        Bytes resident now, and the most that were ever resident (since the last reset, see
        :func:`reset_peak`). Where the system tells the peak alone, both are the peak.
    """
    status = Path('/proc/self/status')
    if status.exists():
        # Not getrusage: its peak is inherited from the parent process.
        fields = dict(re.findall(r'^(VmRSS|VmHWM):\s*(\d+) kB', status.read_text(), flags=re.MULTILINE))
        return int(fields['VmRSS']) * 1024, int(fields['VmHWM']) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == 'darwin' else 1024
    return peak, peak


def reset_peak() -> None:
    """Sets the resident peak back to what is resident now, where the system allows it (Linux)."""
    try:
        Path('/proc/self/clear_refs').write_text('5')
    except OSError:
        return


def measure_here(spec: WorkloadSpec) -> int:
    """Builds and runs a workload in this process.

    Args:
        spec: what to run.

    Returns:
        Peak bytes. On CUDA what PyTorch's allocator held at most, weights included. On a CPU the bytes of the
        weights plus the growth of resident memory over the built model, which counts activations, gradients,
        optimiser state and the libraries' work space, but not Python and its packages.
    """
    workload = build_workload(spec)
    if spec.device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        for _ in range(STEPS):
            workload.step()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated()
    weights = tensor_bytes(workload.model)
    reset_peak()
    before, _ = resident_bytes()
    for _ in range(STEPS):
        workload.step()
    return weights + max(0, resident_bytes()[1] - before)


def measure_in_fresh_process(spec: WorkloadSpec) -> int:
    """Measures a workload in a new interpreter, so that nothing that ran before counts or lends its memory.

    Args:
        spec: what to run.

    Returns:
        Peak bytes, see :func:`measure_here`.

    Raises:
        ValueError: the workload cannot be built.
        MemoryError: the process was ended, as the system does when memory runs out.
    """
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(measure_here, spec).result()
        except BrokenProcessPool:
            raise MemoryError(f'{spec.config}, {spec.mode}: the process that measures memory was ended') from None
