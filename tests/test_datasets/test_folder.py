"""FolderDataset and UnlabeledDataset: pairs, class lists, every fault in one line."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmssl.datasets import FolderDataset, UnlabeledDataset
from mmssl.datasets.class_list import read_class_list
from mmssl.datasets.transforms import LoadImage, LoadSegAnnotations
from mmssl.errors import DataError, DataNotFoundError

CLASSES = {'classes': ('road', 'sky'), 'palette': [[128, 64, 128], [70, 130, 180]]}


def write(path, array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), array)


@pytest.fixture
def root(tmp_path):
    """Three images of 6x8 pixels in two folders and two formats; the mask of number i holds class i % 2 and void."""
    for i, name in enumerate(['a/one.jpg', 'a/two.png', 'b/one.jpeg']):
        write(tmp_path / 'images' / name, np.full((6, 8, 3), 40 * i, np.uint8))
        mask = np.full((6, 8), i % 2, np.uint8)
        mask[0, 0] = 255
        write(tmp_path / 'masks' / f'{name.rsplit(".", 1)[0]}.png', mask)
    return tmp_path


def build(root, **kwargs) -> FolderDataset:
    return FolderDataset(**{'data_root': str(root), 'metainfo': CLASSES, **kwargs})


def error_of(root, kind=DataError, **kwargs) -> str:
    with pytest.raises(kind) as caught:
        build(root, **kwargs)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def names(dataset, key: str) -> list[str]:
    return ['/'.join(dataset.get_data_info(i)[key].split('/')[-3:]) for i in range(len(dataset))]


def test_pairs_by_the_path_without_suffix(root):
    dataset = build(root, pipeline=[LoadImage(), LoadSegAnnotations()])
    assert names(dataset, 'img_path') == ['images/a/one.jpg', 'images/a/two.png', 'images/b/one.jpeg']
    assert names(dataset, 'seg_map_path') == ['masks/a/one.png', 'masks/a/two.png', 'masks/b/one.png']
    for i in range(3):
        sample = dataset[i]
        assert abs(int(sample['img'].mean()) - 40 * i) <= 1
        assert np.bincount(sample['gt_seg_map'].ravel(), minlength=256)[[i % 2, 255]].tolist() == [47, 1]


def test_lists_select_and_order(root):
    (root / 'list.txt').write_text('b/one\na/one.jpg\n')
    assert names(build(root, ann_file='list.txt'), 'img_path') == ['images/b/one.jpeg', 'images/a/one.jpg']
    (root / 'masks/a/two.png').unlink()  # not in the list: not needed
    assert len(build(root, ann_file='list.txt')) == 2


def test_image_without_mask(root):
    for name in ('a/one', 'b/one'):
        (root / f'masks/{name}.png').unlink()
    assert error_of(root) == (
        f'{root}/images: 2 of 3 images have no mask in {root}/masks (a/one.jpg, b/one.jpeg); '
        'expected names that end with .png'
    )


def test_mask_without_image(root):
    for i in range(4):
        write(root / f'masks/c/{i}.png', np.zeros((6, 8), np.uint8))
    assert error_of(root) == (
        f'{root}/masks: 4 of 7 masks have no image in {root}/images (c/0.png, c/1.png, c/2.png, ...)'
    )


def test_missing_masks_are_allowed_for_prediction(root):
    (root / 'masks/a/two.png').unlink()
    dataset = build(root, test_mode=True, allow_missing_masks=True, pipeline=[LoadImage()])
    assert [('seg_map_path' in dataset.get_data_info(i)) for i in range(3)] == [True, False, True]
    assert dataset[1]['img'].shape == (6, 8, 3)
    without = build(root, test_mode=True, allow_missing_masks=True, data_prefix={'img_path': 'images'})
    assert not any('seg_map_path' in without.get_data_info(i) for i in range(3))
    assert error_of(root, ValueError, allow_missing_masks=True) == (
        'allow_missing_masks=True needs test_mode=True: a training needs the masks'
    )
    assert error_of(root, ValueError, data_prefix={'img_path': 'images'}) == (
        'data_prefix has no seg_map_path, the folder of the masks'
    )


def test_empty_and_missing_folders(root, tmp_path):
    (root / 'empty').mkdir()
    prefix = {'img_path': 'empty', 'seg_map_path': 'masks'}
    assert error_of(root, data_prefix=prefix) == (
        f'{root}/empty: no image there; expected files that end with .jpg or .jpeg or .png'
    )
    assert error_of(root, DataNotFoundError, data_prefix={'img_path': 'no', 'seg_map_path': 'masks'}) == (
        f'{root}/no: the folder does not exist'
    )
    assert error_of(root, DataNotFoundError, data_prefix={'img_path': 'images', 'seg_map_path': 'no'}) == (
        f'{root}/no: the folder does not exist'
    )
    assert error_of(root / 'no', DataNotFoundError) == f'{root}/no: the data root does not exist'


def test_wrong_options(root):
    assert error_of(root, ValueError, data_prefix={'img': 'images', 'seg_map_path': 'masks'}) == (
        "data_prefix has the keys ['img', 'seg_map_path']; expected img_path and seg_map_path"
    )
    with pytest.raises(TypeError, match='image_suffix'):
        build(root, image_suffix='.png')
    assert error_of(root, ValueError, classes_file='classes.txt') == (
        'classes are given by metainfo and by classes_file; expected one of them'
    )
    assert error_of(root, ValueError, ignore_index=1) == 'ignore_index=1 is the id of the class sky'


def test_two_images_of_one_name(root):
    write(root / 'images/a/one.png', np.zeros((6, 8, 3), np.uint8))
    assert error_of(root) == f'{root}/images: a/one.jpg and a/one.png have the same name; expected one file a name'


def test_images_and_masks_in_one_folder(tmp_path):
    for i in range(2):
        write(tmp_path / f'all/{i}.png', np.zeros((6, 8, 3), np.uint8))
        write(tmp_path / f'all/{i}_mask.png', np.zeros((6, 8), np.uint8))
    prefix = {'img_path': 'all', 'seg_map_path': 'all'}
    dataset = build(tmp_path, data_prefix=prefix, seg_map_suffix='_mask.png')
    assert names(dataset, 'img_path') == [f'{tmp_path.name}/all/{i}.png' for i in range(2)]
    assert names(dataset, 'seg_map_path') == [f'{tmp_path.name}/all/{i}_mask.png' for i in range(2)]
    assert error_of(tmp_path, data_prefix=prefix) == (
        f'{tmp_path}/all: images and masks lie in one folder and both end with .png'
    )


@pytest.mark.parametrize('reduce_zero_label', [False, True])
def test_ignore_index_and_reduce_zero_label(root, reduce_zero_label, mmseg_scope):
    """Ids 0, 1 (and 2 when 0 is the background) are classes, 9 is void; mmseg's loader reads the same."""
    from mmseg.datasets.transforms import LoadAnnotations

    write(root / 'masks/a/one.png', np.array([[0, 1, 9, 255]] * 3 + [[1, 1, 9, 0]] * 3, np.uint8).repeat(2, axis=1))
    dataset = build(
        root,
        ignore_index=9,
        reduce_zero_label=reduce_zero_label,
        pipeline=[LoadImage(), LoadSegAnnotations()],
    )
    mask = dataset[0]['gt_seg_map']
    expected = [255, 0, 255, 255, 0, 0, 255, 255] if reduce_zero_label else [0, 1, 255, 255, 1, 1, 255, 0]
    assert [*mask[0, ::2].tolist(), *mask[3, ::2].tolist()] == expected
    theirs = LoadAnnotations()(dataset.get_data_info(0))['gt_seg_map']
    np.testing.assert_array_equal(mask, theirs)


def test_ids_outside_the_classes_name_the_file(root):
    write(root / 'masks/a/two.png', np.full((6, 8), 2, np.uint8))
    dataset = build(root, pipeline=[LoadImage(), LoadSegAnnotations()])
    dataset[0]
    with pytest.raises(DataError) as caught:
        dataset[1]
    assert str(caught.value) == f'{root}/masks/a/two.png: the mask holds the ids 2; expected 0..1, 255'


def test_class_list(root):
    path = root / 'classes.txt'
    assert error_of(root, DataNotFoundError, metainfo=None) == (
        f'{path}: the class list does not exist; expected it, or metainfo.classes'
    )
    path.write_text('road 128 64 128\n\ntraffic light 250 170 30\n')
    dataset = build(root, metainfo=None)
    assert list(dataset.metainfo['classes']) == ['road', 'traffic light']
    assert dataset.metainfo['palette'] == [[128, 64, 128], [250, 170, 30]]
    (root / 'names.txt').write_text('road\nsky\nroute 66\n')
    dataset = build(root, metainfo=None, classes_file='names.txt')
    assert list(dataset.metainfo['classes']) == ['road', 'sky', 'route 66'] and len(dataset.metainfo['palette']) == 3


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'the class list is empty; expected one class a line'),
        ('a 1 2 256', 'line 1 has the colour [1, 2, 256]; expected values in 0..255'),
        ('a\nb\na', 'the class a stands twice, the second time on line 3'),
        ('a 1 2 3\nb', '1 of 2 classes have a colour; expected all or none'),
    ],
)
def test_bad_class_lists(tmp_path, text, message):
    path = tmp_path / 'classes.txt'
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_class_list(path)
    assert str(caught.value) == f'{path}: {message}'


def test_config(repository, tmp_path, mmseg_scope):
    for split in ('train', 'val'):
        write(tmp_path / f'images/{split}/a.jpg', np.zeros((60, 80, 3), np.uint8))
        write(tmp_path / f'masks/{split}/a.png', np.zeros((60, 80), np.uint8))
    (tmp_path / 'classes.txt').write_text('road\nsky\n')
    cfg = Config.fromfile(repository / 'configs/_base_/datasets/folder.py')
    samples = []
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.data_root = str(tmp_path)
        samples.append(DATASETS.build(loader.dataset)[0])
    assert samples[0]['inputs'].shape == (3, 384, 512) and samples[1]['inputs'].shape == (3, 480, 640)
    assert samples[1]['data_samples'].gt_sem_seg.shape == (60, 80)


def test_unlabeled(root):
    (root / 'masks').rename(root / 'gone')  # nothing of the masks is needed
    dataset = UnlabeledDataset(data_root=str(root), data_prefix={'img_path': 'images'}, pipeline=[LoadImage()])
    assert names(dataset, 'img_path') == ['images/a/one.jpg', 'images/a/two.png', 'images/b/one.jpeg']
    assert [dataset[i]['img'].shape for i in range(3)] == [(6, 8, 3)] * 3
    assert all('seg_map_path' not in dataset.get_data_info(i) for i in range(3))
    only_png = UnlabeledDataset(data_root=str(root), data_prefix={'img_path': 'images'}, img_suffix='.png')
    assert names(only_png, 'img_path') == ['images/a/two.png']
    (root / 'list.txt').write_text('b/one\na/two\n')
    listed = UnlabeledDataset(data_root=str(root), data_prefix={'img_path': 'images'}, ann_file='list.txt')
    assert names(listed, 'img_path') == ['images/b/one.jpeg', 'images/a/two.png']


def test_unlabeled_in_several_folders(root):
    two = {'data_root': str(root), 'data_prefix': {'img_path': ['images/b', 'images/a']}}
    dataset = UnlabeledDataset(**two)
    assert names(dataset, 'img_path') == ['images/b/one.jpeg', 'images/a/one.jpg', 'images/a/two.png']
    (root / 'list.txt').write_text('two\n')
    with pytest.raises(DataError, match=r'one may be .*b/one.jpeg or .*a/one.jpg; expected one image of a name'):
        UnlabeledDataset(**two, ann_file='list.txt')
    (root / 'images/b/one.jpeg').rename(root / 'images/b/three.jpeg')
    assert names(UnlabeledDataset(**two, ann_file='list.txt'), 'img_path') == ['images/a/two.png']


def test_unlabeled_faults(root):
    def message(kind=DataError, **kwargs) -> str:
        with pytest.raises(kind) as caught:
            UnlabeledDataset(**{'data_root': str(root), 'data_prefix': {'img_path': 'images'}, **kwargs})
        return str(caught.value)

    assert message(img_suffix='.bmp') == f'{root}/images: no image there; expected files that end with .bmp'
    assert message(data_root=f'{root}/no') == f'{root}/no: the data root does not exist'
    assert message(data_prefix={'img_path': 'no'}) == f'{root}/no: the folder does not exist'
    assert message(ValueError, data_prefix={'img_path': 'images', 'seg_map_path': 'masks'}) == (
        "data_prefix has the keys ['img_path', 'seg_map_path']; expected img_path alone"
    )
    (root / 'list.txt').write_text('a/one\nc/one\n')
    assert message(ann_file='list.txt') == (f'{root}/list.txt: 1 of 2 names have no image in {root}/images (c/one)')
