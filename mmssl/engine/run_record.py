"""What a run depends on beside its config: it stands in each checkpoint, and a resumed run is compared with it."""

from mmengine.dist import get_rank, get_world_size

from mmssl.datasets.data_list_digest import data_list_digest

RECORD = 'run_record'
"""Its key in a checkpoint."""
COMPARED = {
    'world_size': 'processes',
    'batch_size': 'images a process and iteration',
    'seed': 'seed',
    'classes': 'classes',
    'data': 'training data',
}
"""What has to be the same, and how a message calls it."""


def run_record(runner) -> dict:
    """Describe a run by plain values.

    Args:
        runner: with its training loop built.

    Returns:
        The keys of ``COMPARED``; ``sampler_seed``, None for a sampler without one; ``epoch_length``, iterations of a
        pass over the data; ``images``, their number.
    """
    loader = runner.train_dataloader
    batch_size = loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None)
    classes = (getattr(loader.dataset, 'metainfo', None) or {}).get('classes')
    seed = getattr(getattr(loader.batch_sampler, 'sampler', None), 'seed', None)
    own = get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0  # mmengine adds the rank
    return {
        'world_size': get_world_size(),
        'batch_size': None if batch_size is None else int(batch_size),
        'seed': int(runner.seed) - own,
        'classes': None if classes is None else [str(name) for name in classes],
        'data': data_list_digest(loader.dataset),
        'images': len(loader.dataset),
        'sampler_seed': None if seed is None else int(seed),
        'epoch_length': len(loader),
    }


def changes(before: dict, now: dict) -> dict[str, str]:
    """What is different in two records.

    Args:
        before: record of the checkpoint.
        now: record of this run.

    Returns:
        Key of ``COMPARED`` to a phrase that tells both values.
    """
    return {key: _phrase(key, before, now) for key in COMPARED if before.get(key) != now[key]}


def _phrase(key: str, before: dict, now: dict) -> str:
    if key == 'classes':
        pair = [tuple(record.get(key) or ()) for record in (before, now)]
        other = next((names for names in zip(*pair, strict=False) if names[0] != names[1]), None)
        first = f', first {other[0]!r} then {other[1]!r}' if other else ''
        return f'classes ({len(pair[0])} then, {len(pair[1])} now{first})'
    if key == 'data':
        pair = before.get('images'), now['images']
        told = f'{pair[0]} images then, {pair[1]} now' if pair[0] != pair[1] else f'other files among {pair[1]} images'
        return f'training data ({told})'
    return f'{COMPARED[key]} ({before.get(key)} then, {now[key]} now)'
