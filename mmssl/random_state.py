"""Random numbers that depend on where a training stands, and on nothing that was drawn before."""

import random

import numpy as np
import torch

STEP, SAMPLE = range(2)
"""What is drawn for: an iteration of the model, or one sample of a batch."""


def seed_all(seed: int, rank: int, purpose: int, epoch: int, number: int, place: int = 0) -> None:
    """Seed Python's, numpy's and torch's generators for one iteration, or one sample.

    What is drawn after it depends on the arguments alone: a resumed run draws what an uninterrupted one does, with any
    number of workers, and no two samples, epochs or ranks draw the same.

    Args:
        seed: of the run, at least 0.
        rank: of the process, at least 0.
        purpose: ``STEP`` or ``SAMPLE``.
        epoch: number of the pass over the data, from 0; 0 where passes are not counted.
        number: of the iteration or batch, from 0.
        place: of the sample in its batch, from 0.
    """
    # Always six numbers: sequences that differ by zeros at the end give the same states.
    words = np.random.SeedSequence((seed, rank, purpose, epoch, number, place)).generate_state(6, np.uint32)
    random.seed(words[:2].tobytes())
    np.random.seed(words[2:4])
    state = int.from_bytes(words[4:].tobytes(), 'little') >> 1
    # Not torch.manual_seed: without CUDA it formats the whole call stack each time, for seeding CUDA later.
    torch.default_generator.manual_seed(state)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(state)
