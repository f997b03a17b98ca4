"""Files that lie beside their places until they are settled."""

import errno

import pytest

from mmssl import pending_files
from mmssl.pending_files import PendingFiles


def written(*pairs) -> PendingFiles:
    files = PendingFiles()
    for path, text in pairs:
        files.write(path, lambda partial, text=text: partial.write_text(text))
    return files


def names(folder) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob('*') if path.is_file())


def test_old_files_are_there_until_new_ones_are_settled(tmp_path):
    (tmp_path / 'a').write_text('old')
    files = written((tmp_path / 'a', 'new'), (tmp_path / 'folder/b', 'more'))
    assert (tmp_path / 'a').read_text() == 'old' and not (tmp_path / 'folder/b').exists()
    assert files.paths == [tmp_path / 'a', tmp_path / 'folder/b']
    assert len(names(tmp_path)) == 3
    files.settle()
    assert (tmp_path / 'a').read_text() == 'new' and (tmp_path / 'folder/b').read_text() == 'more'
    assert names(tmp_path) == ['a', 'folder/b']


def test_all_is_flushed_before_its_move_and_folders_after(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(pending_files, 'flush', lambda path: order.append(('flush', path.name.split('.tmp')[0])))
    move = pending_files.os.replace
    monkeypatch.setattr(
        pending_files.os, 'replace', lambda source, target: (order.append(('move', target.name)), move(source, target))
    )
    written((tmp_path / 'a', '1'), (tmp_path / 'b', '2')).settle()
    kinds = [(kind, name.strip('.')[0]) for kind, name in order[:-1]]
    assert kinds == [('flush', 'a'), ('move', 'a'), ('flush', 'b'), ('move', 'b')]
    assert order[-1] == ('flush', tmp_path.name)


def test_what_the_disk_does_not_take_leaves_the_old_file(tmp_path, monkeypatch):
    (tmp_path / 'a').write_text('old')
    (tmp_path / 'b').write_text('old')
    files = written((tmp_path / 'a', 'new'), (tmp_path / 'b', 'new'))

    def full(path):
        if path.name.startswith('.b.'):
            raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(pending_files, 'flush', full)
    with pytest.raises(OSError, match='No space left'):
        files.settle()
    assert [(tmp_path / name).read_text() for name in 'ab'] == ['new', 'old']
    assert names(tmp_path) == ['a', 'b']


def test_discarded_files_leave_nothing(tmp_path):
    files = written((tmp_path / 'a', 'new'))
    with pytest.raises(ValueError):
        files.write(tmp_path / 'b', lambda partial: (partial.write_text('ha'), int('lf')))
    files.discard()
    assert names(tmp_path) == []
