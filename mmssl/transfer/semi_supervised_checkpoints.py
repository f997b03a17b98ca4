"""One network out of a semi-supervised checkpoint."""

from collections.abc import Mapping

from torch import Tensor

from mmssl.errors import DataError

PREFIXES = {'student': 'student.', 'teacher': 'teacher.model.'}


def network_weights(state: Mapping[str, Tensor], which: str, source: str = 'checkpoint') -> dict[str, Tensor]:
    """Weights of the student or of the teacher, under the names of the plain segmentor.

    Args:
        state: tensors of a ``SemiSupervisedSegmentor``.
        which: ``'student'`` or ``'teacher'``.
        source: the file, for messages.

    Returns:
        Name to tensor, as the segmentor's own recipe has them.

    Raises:
        ValueError: on another network.
        DataError: the tensors are not of such a model, or its teacher was never updated.
    """
    if which not in PREFIXES:
        raise ValueError(f'network {which!r}, expected one of {tuple(PREFIXES)}')
    if 'teacher.steps' not in state:
        raise DataError(
            f'{source}: no student and teacher in the checkpoint, expected one of a SemiSupervisedSegmentor'
        )
    if which == 'teacher' and int(state['teacher.steps']) == 0:
        raise DataError(f'{source}: the teacher of the checkpoint was never updated (burn-in?), expected a later one')
    prefix = PREFIXES[which]
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
