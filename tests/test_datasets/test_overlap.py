"""Overlap of labelled and unlabelled images: files, names, contents, scenes; few bytes read."""

import os
import shutil
import time

import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset

from mmssl.datasets import CamVidDataset, StreetScenesDataset, UnlabeledDataset
from mmssl.datasets import overlap as module
from mmssl.datasets.overlap import check_overlap, find_overlap, list_images
from mmssl.errors import DataError


class Listing:
    """A dataset of paths alone."""

    def __init__(self, folder, names, suffix='.png', **attributes):
        self.data_prefix = {'img_path': str(folder)}
        self.img_suffix = suffix
        self.paths = [os.path.join(folder, name) for name in names]
        vars(self).update(attributes)

    def __len__(self):
        return len(self.paths)

    def get_data_info(self, index):
        return {'img_path': self.paths[index]}


def write(folder, **files):
    """Files of given contents; the keys are names without suffix."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f'{name}.png').write_bytes(content)
    return Listing(folder, [f'{name}.png' for name in files])


def test_each_kind_of_overlap_is_found(tmp_path):
    labeled = write(tmp_path / 'a', one=b'1111', two=b'2222', three=b'33333', four=b'4444')
    unlabeled = write(tmp_path / 'b', five=b'2222', six=b'6666', four=b'777')
    (tmp_path / 'b/link.png').symlink_to(tmp_path / 'a/one.png')
    os.link(tmp_path / 'a/three.png', tmp_path / 'b/hard.png')
    unlabeled.paths += [str(tmp_path / 'b/link.png'), str(tmp_path / 'b/hard.png'), str(tmp_path / 'a/two.png')]
    sides = list_images(labeled), list_images(unlabeled)
    found = {(os.path.basename(a.label), os.path.basename(b.label), kind) for a, b, kind in find_overlap(*sides)}
    assert found == {
        ('five.png', 'two.png', 'content'),
        ('four.png', 'four.png', 'name'),
        ('link.png', 'one.png', 'file'),
        ('hard.png', 'three.png', 'file'),
        ('two.png', 'two.png', 'file'),
    }
    kinds = [kind for *_, kind in find_overlap(*sides, names=False)]
    assert kinds == ['content', 'file', 'file', 'file']


def test_names_in_spite_of_suffix_and_folder(tmp_path):
    labeled = Listing(tmp_path / 'x', ['city/a_leftImg8bit.png', 'city/b_leftImg8bit.png'], '_leftImg8bit.png')
    # the same name below another folder and with another suffix; city/b of another city is another image
    unlabeled = Listing(tmp_path / 'y', ['city/a_leftImg8bit.jpg', 'town/b_leftImg8bit.png'], '.jpg')
    assert [a.label for a, *_ in find_overlap(list_images(labeled), list_images(unlabeled))] == [unlabeled.paths[0]]
    unlabeled = Listing(tmp_path / 'y', ['city/a.jpg'], '.jpg')
    assert len(find_overlap(list_images(labeled), list_images(unlabeled))) == 1


def test_the_message_counts_names_and_helps(tmp_path):
    labeled = write(tmp_path / 'a', **{f'i{n}': bytes([n]) * (n + 1) for n in range(5)})
    unlabeled = write(tmp_path / 'b', **{f'i{n}': b'x' * (n + 50) for n in range(4)}, other=b'y')
    with pytest.raises(DataError) as caught:
        check_overlap(labeled, unlabeled)
    text = str(caught.value)
    assert text.startswith('4 of 5 unlabelled images are labelled ones too: ')
    assert text.count('(same name as') == 3
    assert "overlap='content' where" in text
    assert "overlap='off'" in text
    assert '\n' not in text
    check_overlap(labeled, unlabeled, 'content')
    check_overlap(labeled, labeled, 'off')
    with pytest.raises(ValueError, match="overlap='names', expected one of"):
        check_overlap(labeled, unlabeled, 'names')


def test_only_files_of_one_size_are_read(tmp_path, monkeypatch):
    labeled = write(tmp_path / 'a', one=b'11', two=b'222', three=b'4444', same=b'55555')
    unlabeled = write(tmp_path / 'b', four=b'22', five=b'6666666', six=b'666666', same=b'54321')
    read = []
    digest = module.file_digest
    monkeypatch.setattr(module, 'file_digest', lambda path: (read.append(os.path.basename(path)), digest(path))[1])
    assert [kind for *_, kind in find_overlap(list_images(labeled), list_images(unlabeled))] == ['name']
    assert read == ['one.png', 'four.png']  # and not "same", which the name has told


def test_many_images_are_fast(tmp_path, monkeypatch):
    """3000 and 25000 files whose sizes differ: every one is asked for its size, none is opened."""

    class Status:
        st_dev = 1

        def __init__(self, path):
            self.st_ino = self.st_size = hash(path) & (2**60 - 1) | 1

    asked = []
    monkeypatch.setattr(module.os, 'stat', lambda path: (asked.append(path), Status(path))[1])
    monkeypatch.setattr(module, 'file_digest', None)
    labeled = Listing(tmp_path / 'a', [f'l{n:05d}.png' for n in range(3000)])
    unlabeled = Listing(tmp_path / 'b', [f'u{n:05d}.png' for n in range(25000)])
    start = time.perf_counter()
    check_overlap(labeled, unlabeled)
    assert time.perf_counter() - start < 5  # 0.2 s on a free core
    assert len(asked) == 28000


def test_remote_files_by_name_alone(monkeypatch):
    monkeypatch.setattr(module.os, 'stat', None)  # must not be called
    remote = {'backend_args': {'backend': 'petrel'}}
    labeled = Listing('s3://a', ['one.png', 'two.png'], **remote)
    with pytest.raises(DataError, match=r'1 of 1 unlabelled .*s3://b/two.jpg \(same name as s3://a/two.png\)'):
        check_overlap(labeled, Listing('s3://b', ['two.jpg'], '.jpg', **remote))
    check_overlap(labeled, Listing('s3://b', ['three.jpg'], '.jpg', **remote))
    with pytest.raises(ValueError, match="overlap='content': s3://a/one.png is not on this machine"):
        check_overlap(labeled, labeled, 'content')


def test_samples_that_cannot_be_compared():
    class Bare(Listing):
        def get_data_info(self, index):
            return {'key': index}

    bare = Bare('x', ['a'])
    with pytest.raises(DataError, match=r"Bare: sample 0 has the keys \['key'\]; expected img_path"):
        check_overlap(bare, bare)


def test_street_scenes_meet_where_seed_and_index_agree(mmseg_scope):
    game = StreetScenesDataset(num_images=20, seed=3, style='game')
    photo = StreetScenesDataset(num_images=5, seed=3, style='photo', indices=[1, 4])
    with pytest.raises(DataError, match=r'2 of 2 unlabelled .*photo_000001.png \(same scene as game_000001.png\)'):
        check_overlap(game, photo)
    with pytest.raises(DataError, match='give one side another seed or split'):
        check_overlap(game, photo, 'content')
    check_overlap(game, StreetScenesDataset(num_images=20, seed=4, style='game'))
    check_overlap(game, StreetScenesDataset(num_images=20, seed=3, split='val'))


def test_wrappers_are_looked_into_once(tmp_path, camvid_root, mmseg_scope):
    shutil.copy(camvid_root / 'train' / '0001TP_006690.png', tmp_path / 'copy.png')
    labeled = CamVidDataset(data_root=str(camvid_root))
    images = UnlabeledDataset(data_root=str(tmp_path))
    val = UnlabeledDataset(data_root=str(camvid_root), data_prefix={'img_path': 'val'})
    assert len(list_images(RepeatDataset(labeled, times=3))) == 367
    check_overlap(labeled, val)
    both = ConcatDataset([val, images], ignore_keys=['classes', 'palette'])
    with pytest.raises(DataError, match=r'1 of 102 .*copy.png \(same content as .*0001TP_006690.png\)'):
        check_overlap(RepeatDataset(labeled, times=3), both, 'content')
