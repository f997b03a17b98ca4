"""CamVidDataset on the real images, and its configs."""

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmssl.datasets import CamVidDataset, UnlabeledDataset
from mmssl.datasets.split_list import read_split_list, resolve_names, strip_suffix
from mmssl.datasets.transforms import LoadImage, LoadSegAnnotations
from mmssl.errors import DataError, DataNotFoundError

VAL = {'img_path': 'val/', 'seg_map_path': 'valannot/'}


def test_counts_classes_and_palette(camvid_root):
    train = CamVidDataset(data_root=str(camvid_root))
    val = CamVidDataset(data_root=str(camvid_root), data_prefix=VAL)
    assert (len(train), len(val)) == (367, 101)
    assert len(val.metainfo['classes']) == len(val.metainfo['palette']) == 11
    palette = dict(zip(val.metainfo['classes'], val.metainfo['palette'], strict=True))
    assert palette['Sky'] == [128, 128, 128] and palette['Bicyclist'] == [0, 128, 192]
    info = val.get_data_info(0)
    assert info['img_path'].endswith('val/0016E5_07959.png')
    assert info['seg_map_path'].endswith('valannot/0016E5_07959.png')
    assert info['label_map'] == {**{i: i for i in range(11)}, 11: 255} and info['num_classes'] == 11


def test_void_becomes_255_and_every_pixel_is_kept(camvid_root):
    """Pixel counts of a training mask, read by OpenCV, reappear with 11 moved to 255."""
    dataset = CamVidDataset(data_root=str(camvid_root), pipeline=[LoadImage(), LoadSegAnnotations()])
    raw = cv2.imread(str(camvid_root / 'trainannot' / '0001TP_006690.png'), cv2.IMREAD_UNCHANGED)
    before, after = (
        np.bincount(raw.ravel(), minlength=256),
        np.bincount(dataset[0]['gt_seg_map'].ravel(), minlength=256),
    )
    assert before[:12].tolist() == [23726, 64726, 1904, 16139, 11897, 2303, 2543, 0, 40851, 731, 0, 7980]
    assert after[:11].tolist() == before[:11].tolist()
    assert (after[11], after[255], after.sum()) == (0, 7980, 360 * 480)


def test_subset_of_the_classes(camvid_root):
    dataset = CamVidDataset(
        data_root=str(camvid_root),
        metainfo={'classes': ('Road', 'Sky')},
        pipeline=[LoadImage(), LoadSegAnnotations()],
    )
    assert np.bincount(dataset[0]['gt_seg_map'].ravel(), minlength=256)[[0, 1, 255]].tolist() == [
        16139,
        23726,
        360 * 480 - 16139 - 23726,
    ]
    assert dataset.metainfo['palette'] == [[128, 64, 128], [128, 128, 128]]


def test_lists_of_stems_and_of_two_columns_agree(camvid_root, tmp_path):
    two_columns = CamVidDataset(data_root=str(camvid_root), ann_file='train.txt')
    assert len(two_columns) == 367
    stems = tmp_path / 'stems.txt'
    stems.write_text('\n0016E5_08640\n\n0001TP_006690\n')
    dataset = CamVidDataset(data_root=str(camvid_root), ann_file=str(stems))
    names = [dataset.get_data_info(i)['img_path'].split('/')[-1] for i in range(2)]
    assert names == ['0016E5_08640.png', '0001TP_006690.png']  # the order of the list
    all_paths = {two_columns.get_data_info(i)['img_path'] for i in range(367)}
    assert {dataset.get_data_info(i)['img_path'] for i in range(2)} < all_paths


def test_wrong_lists(camvid_root, tmp_path):
    path = tmp_path / 'list.txt'

    def error_of(text: str) -> str:
        path.write_text(text)
        with pytest.raises(DataError) as caught:
            CamVidDataset(data_root=str(camvid_root), ann_file=str(path))
        return str(caught.value)

    assert error_of('\n \n') == f'{path}: the list of the split is empty; expected one name a line'
    assert error_of('0001TP_006690\nx\ny\nz\nw\n') == (
        f'{path}: 4 of 5 names have no image in {camvid_root}/train/ (x, y, z, ...)'
    )
    assert error_of('a\nb\na\n') == f'{path}: a stands on line 1 and again on line 3'
    assert error_of('../val/a\n') == f'{path}: line 1: ../val/a leaves the data folder; expected a name inside it'
    assert error_of('0001TP_006690\n0001TP_006690.png\n') == f'{path}: 1 images are named twice (0001TP_006690)'
    with pytest.raises(DataNotFoundError) as caught:
        CamVidDataset(data_root=str(camvid_root), ann_file=str(tmp_path / 'no.txt'))
    assert str(caught.value) == f'{tmp_path / "no.txt"}: the list of the split does not exist'


def test_resolving_names():
    stems = {'a/x', 'x', 'photo 1', 'v1.2'}
    assert resolve_names(['x.png', 'a/x', '/old/home/a/x.png', 'photo 1', 'v1.2'], stems, ('.png',)) == (
        ['x', 'a/x', 'a/x', 'photo 1', 'v1.2'],
        [],
    )
    assert resolve_names(['b/x', '/q/y.png', 'x.jpg'], stems, ('.png',)) == ([], ['b/x', '/q/y.png', 'x.jpg'])
    assert strip_suffix('a_leftImg8bit.png', ('.png', '_leftImg8bit.png')) == 'a'


def test_columns_are_told_from_names_with_spaces(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('/S/train/a.png /S/trainannot/a.png\nphoto 1\nb.png\tb_mask.png\n')
    assert read_split_list(path) == ['/S/train/a.png', 'photo 1', 'b.png']
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match='not a text file'):
        read_split_list(path)


def test_missing_data_root(tmp_path):
    with pytest.raises(DataNotFoundError) as caught:
        CamVidDataset(data_root=str(tmp_path / 'CamVid'))
    assert str(caught.value) == f'{tmp_path}/CamVid: the data root does not exist'
    with pytest.raises(DataNotFoundError) as caught:
        CamVidDataset(data_root=str(tmp_path))
    assert str(caught.value) == f'{tmp_path}/train/: the folder does not exist'


def load_base(repository, name: str, root) -> Config:
    cfg = Config.fromfile(repository / 'configs' / '_base_' / 'datasets' / f'{name}.py')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if loader in cfg:
            cfg[loader].dataset.data_root = str(root)
    return cfg


@pytest.mark.parametrize(
    ('name', 'train_shape', 'val_shape'),
    [('camvid_192x256', (192, 256), (240, 320)), ('camvid_360x480', (360, 480), (360, 480))],
)
def test_configs_give_the_sizes_they_are_named_for(repository, camvid_root, mmseg_scope, name, train_shape, val_shape):
    cfg = load_base(repository, name, camvid_root)
    train, val = DATASETS.build(cfg.train_dataloader.dataset)[5], DATASETS.build(cfg.val_dataloader.dataset)[5]
    assert train['inputs'].shape == (3, *train_shape) and train['data_samples'].gt_sem_seg.shape == train_shape
    assert tuple(cfg.crop_size) == train_shape
    assert val['inputs'].shape == (3, *val_shape)
    assert val['data_samples'].gt_sem_seg.shape == (360, 480)  # evaluation is at the size of the file
    assert set(np.unique(val['data_samples'].gt_sem_seg.data)) <= {*range(11), 255}


def make_cityscapes(root) -> None:
    """Three cities of one image each, of 64x128 pixels, with the file names of the real ones."""
    rng = np.random.default_rng(0)
    for split, city in (('train', 'aachen'), ('val', 'munster'), ('train_extra', 'bamberg')):
        stem = f'{city}_000000_000019'
        folder = root / 'leftImg8bit' / split / city
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / f'{stem}_leftImg8bit.png'), rng.integers(0, 256, (64, 128, 3), dtype=np.uint8))
        if split != 'train_extra':
            masks = root / 'gtFine' / split / city
            masks.mkdir(parents=True)
            ids = np.array([*range(19), 255], dtype=np.uint8)
            cv2.imwrite(str(masks / f'{stem}_gtFine_labelTrainIds.png'), rng.choice(ids, (64, 128)))


def test_cityscapes_configs(repository, tmp_path, mmseg_scope):
    make_cityscapes(tmp_path)
    cfg = load_base(repository, 'cityscapes_512x1024', tmp_path)
    train = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(train) == 1 and train[0]['inputs'].shape == (3, 512, 1024)
    val = DATASETS.build(cfg.val_dataloader.dataset)[0]
    assert val['inputs'].shape == (3, 512, 1024) and val['data_samples'].gt_sem_seg.shape == (64, 128)

    mask = next((tmp_path / 'gtFine' / 'train').rglob('*.png'))
    cv2.imwrite(str(mask), np.full((64, 128), 19, np.uint8))
    with pytest.raises(DataError) as caught:
        train[0]
    assert str(caught.value) == f'{mask}: the mask holds the ids 19; expected 0..18, 255'


def test_cityscapes_extra_needs_no_mask(repository, tmp_path, mmseg_scope):
    make_cityscapes(tmp_path)
    cfg = load_base(repository, 'cityscapes_extra', tmp_path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert isinstance(dataset, UnlabeledDataset) and len(dataset) == 1
    sample = dataset[0]
    assert sample['inputs'].shape == (3, 512, 1024) and 'gt_sem_seg' not in sample['data_samples']
