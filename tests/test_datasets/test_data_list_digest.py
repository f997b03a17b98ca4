"""The hash of a list of samples: what changes it, and what does not."""

import copy
from pathlib import Path

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset

from mmssl.datasets.data_list_digest import data_list_digest

ENTRIES = [
    {'img_path': '/data/a.jpg', 'img_id': 1, 'label_map': None, 'instances': [{'mask': [[1.0, 2.5, 3.0]], 'label': 0}]},
    {'img_path': '/data/b.jpg', 'img_id': 2, 'label_map': {0: 1}, 'instances': []},
    {'img_path': '/data/c.jpg', 'img_id': 3, 'boxes': np.array([[1, 2], [3, 4]]), 'names': ['x', 'yz']},
]


class Listed(BaseDataset):
    """A list that is given."""

    def __init__(self, entries, **settings):
        self.entries = entries
        super().__init__(**settings)

    def load_data_list(self):
        return copy.deepcopy(self.entries)


def digest(entries, root='/data') -> str:
    return data_list_digest(Listed(entries, data_root=root))


def changed(place: int, **values) -> list[dict]:
    return [{**entry, **values} if index == place else entry for index, entry in enumerate(ENTRIES)]


CHANGES = {
    'order': ENTRIES[::-1],
    'fewer': ENTRIES[:2],
    'file': changed(0, img_path='/data/d.jpg'),
    'id': changed(1, img_id=4),
    'a point': changed(0, instances=[{'mask': [[1.0, 2.5, 3.25]], 'label': 0}]),
    'points apart': changed(0, instances=[{'mask': [[1.0], [2.5, 3.0]], 'label': 0}]),
    'a label': changed(0, instances=[{'mask': [[1.0, 2.5, 3.0]], 'label': 1}]),
    'a label map': changed(1, label_map={0: 2}),
    'no label map': changed(1, label_map=None),
    'an array': changed(2, boxes=np.array([[1, 2], [3, 5]])),
    'names': changed(2, names=['xy', 'z']),
}


@pytest.mark.parametrize('name', CHANGES)
def test_a_change_is_seen(name):
    assert digest(CHANGES[name]) != digest(ENTRIES)


def test_all_changes_differ():
    assert len({digest(entries) for entries in [ENTRIES, *CHANGES.values()]}) == len(CHANGES) + 1


def test_what_is_no_change():
    assert digest(copy.deepcopy(ENTRIES)) == digest(ENTRIES)
    moved = [{**entry, 'img_path': entry['img_path'].replace('/data/', '/elsewhere/new/')} for entry in ENTRIES]
    assert digest(moved, root='/elsewhere/new') == digest(ENTRIES)
    assert digest([dict(reversed(entry.items())) for entry in ENTRIES]) == digest(ENTRIES)
    # as unpickled: strings and lists that one run shares, another may not
    shared = [1.0, 2.0]
    apart, together = changed(0, instances=[[1.0, 2.0], [1.0, 2.0]]), changed(0, instances=[shared, shared])
    assert digest(apart) == digest(together)


@pytest.mark.parametrize('value', [object(), {1, 2}, Path('/data')])
def test_other_objects_count_by_their_class(value):
    assert digest(changed(0, other=value)) == digest(changed(0, other=copy.deepcopy(value)))
    assert digest(changed(0, other=[value])) != digest(changed(0, other=['x']))
    array = np.array([1.0])
    assert digest(changed(0, other=[value, array])) == digest(changed(0, other=[value, array.copy()]))
    assert digest(changed(0, other=[value, array])) != digest(changed(0, other=[value, 2 * array]))


def test_the_parts_of_a_wrapper_count():
    parts = [Listed(ENTRIES[:1]), Listed(ENTRIES[1:])]
    assert data_list_digest(ConcatDataset(parts)) == data_list_digest(ConcatDataset(parts))
    assert data_list_digest(ConcatDataset(parts)) != data_list_digest(ConcatDataset(parts[::-1]))
