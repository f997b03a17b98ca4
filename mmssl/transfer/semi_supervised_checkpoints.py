"""One network out of a checkpoint of several: student and teacher, or a segmentor with pretext tasks."""

from collections.abc import Mapping

from torch import Tensor

from mmssl.errors import DataError

PREFIXES = {'student': 'student.', 'teacher': 'teacher.model.', 'segmentor': 'segmentor.'}
STEPS = 'teacher.steps'


def network_weights(state: Mapping[str, Tensor], which: str, source: str = 'checkpoint') -> dict[str, Tensor]:
    """Weights of one network, under the names of the plain segmentor.

    Args:
        state: tensors of a ``SemiSupervisedSegmentor``, of a ``MultiTaskSegmentor``, or of one with the other inside.
        which: ``'student'`` or ``'teacher'``; ``'segmentor'`` of a training with pretext tasks and without a teacher.
        source: the file, for messages.

    Returns:
        Name to tensor, as the segmentor's own recipe has them.

    Raises:
        ValueError: on another network.
        DataError: the tensors are not of such a model, or its teacher was never updated.
    """
    if which not in PREFIXES:
        raise ValueError(f'network {which!r}, expected one of {tuple(PREFIXES)}')
    outer = PREFIXES['segmentor']
    inside = {name.removeprefix(outer): tensor for name, tensor in state.items() if name.startswith(outer)}
    if which == 'segmentor':
        if not inside or STEPS in inside:
            found = 'student and teacher' if inside else 'no segmentor with pretext tasks'
            raise DataError(
                f'{source}: {found} in the checkpoint, expected one of a MultiTaskSegmentor without a teacher'
            )
        return inside
    state = inside or state
    if STEPS not in state:
        raise DataError(
            f'{source}: no student and teacher in the checkpoint, expected one of a SemiSupervisedSegmentor'
        )
    if which == 'teacher' and int(state[STEPS]) == 0:
        raise DataError(f'{source}: the teacher of the checkpoint was never updated (burn-in?), expected a later one')
    prefix = PREFIXES[which]
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
