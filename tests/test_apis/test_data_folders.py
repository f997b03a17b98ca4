import pytest
from mmengine.config import Config

from mmssl.apis.data_folders import check_data_folders, dataset_configs
from mmssl.errors import DataError, DataNotFoundError


def make(root, **changes):
    dataset = {'type': 'CityscapesDataset', 'data_root': str(root), 'data_prefix': {'img_path': 'images'}, **changes}
    return Config({'train_dataloader': {'dataset': {'type': 'RepeatDataset', 'times': 2, 'dataset': dataset}}})


def test_folders_with_files_pass(tmp_path):
    (tmp_path / 'images/town').mkdir(parents=True)
    (tmp_path / 'images/town/a.png').touch()
    check_data_folders(make(tmp_path), ('train', 'val'))


def test_a_missing_root_or_folder_is_told(tmp_path):
    with pytest.raises(DataNotFoundError, match=r'nowhere: the folder does not exist .*dataset.data_root'):
        check_data_folders(make(tmp_path / 'nowhere'), ('train',))
    with pytest.raises(DataNotFoundError, match=r'images: the folder does not exist .*data_prefix.img_path'):
        check_data_folders(make(tmp_path), ('train',))


def test_an_empty_split_is_told(tmp_path):
    (tmp_path / 'images/town').mkdir(parents=True)
    with pytest.raises(DataError, match=r'images: the folder holds no file'):
        check_data_folders(make(tmp_path), ('train',))


def test_both_sides_of_a_pair_are_looked_at(tmp_path):
    (tmp_path / 'images/town').mkdir(parents=True)
    (tmp_path / 'images/town/a.png').touch()
    side = make(tmp_path).train_dataloader.dataset
    other = {'type': 'mmssl.UnlabeledDataset', 'data_root': str(tmp_path), 'data_prefix': {'img_path': 'more'}}
    pair = {'type': 'mmssl.PairedDataset', 'labeled': side, 'unlabeled': other}
    found = [cfg['type'] for cfg in dataset_configs(pair)]
    assert found == ['CityscapesDataset', 'mmssl.UnlabeledDataset']
    cfg = Config({'train_dataloader': {'dataset': pair}})
    with pytest.raises(DataNotFoundError, match=r'more: the folder does not exist'):
        check_data_folders(cfg, ('train',))
    (tmp_path / 'more').mkdir()
    with pytest.raises(DataError, match=r'more: the folder holds no file'):
        check_data_folders(cfg, ('train',))
    (tmp_path / 'more/b.jpg').touch()
    check_data_folders(cfg, ('train',))
    (tmp_path / 'images/town/a.png').unlink()
    with pytest.raises(DataError, match=r'images: the folder holds no file'):
        check_data_folders(cfg, ('train',))


def test_segmentation_and_tasks_are_looked_at(tmp_path):
    (tmp_path / 'images/town').mkdir(parents=True)
    (tmp_path / 'images/town/a.png').touch()
    side = make(tmp_path).train_dataloader.dataset
    pair = {'type': 'mmssl.PairedDataset', 'labeled': side, 'unlabeled': side}
    other = {'type': 'mmssl.UnlabeledDataset', 'data_root': str(tmp_path), 'data_prefix': {'img_path': 'more'}}
    several = {'type': 'mmssl.MultiTaskSegDataset', 'segmentation': pair, 'tasks': {'colour': other}}
    found = [cfg['type'] for cfg in dataset_configs(several)]
    assert found == ['CityscapesDataset', 'CityscapesDataset', 'mmssl.UnlabeledDataset']
    with pytest.raises(DataNotFoundError, match=r'more: the folder does not exist'):
        check_data_folders(Config({'train_dataloader': {'dataset': several}}), ('train',))


def test_what_is_not_on_this_disk_is_left_alone(tmp_path):
    check_data_folders(make('s3://bucket', backend_args={'backend': 'petrel'}), ('train',))
    check_data_folders(Config({'train_dataloader': {'dataset': {'type': 'mmssl.StreetScenesDataset'}}}), ('train',))
