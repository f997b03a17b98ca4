import pytest
from mmengine.config import Config

from mmssl.apis.config import ConfigError, check_options, check_top_level_keys, default_work_dir, load_config

CONFIG = 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py'


def test_known_keys_and_own_variables_pass():
    check_top_level_keys(
        ['model', 'train_dataloader', 'crop_size', 'test_pipeline', 'tta_pipeline', 'norm_cfg'], 'x.py'
    )


@pytest.mark.parametrize(
    ('key', 'meant'),
    [
        ('train_dataloder', 'train_dataloader'),
        ('optim_wraper', 'optim_wrapper'),
        ('param_schedulers', 'param_scheduler'),
        ('default_hook', 'default_hooks'),
        ('val_evaluater', 'val_evaluator'),
    ],
)
def test_a_misspelt_key_is_told_with_its_file(key, meant):
    with pytest.raises(ConfigError, match=f"x.py: unknown config key '{key}', did you mean '{meant}'"):
        check_top_level_keys([key], 'x.py')


@pytest.fixture
def cfg():
    return Config({'model': {'backbone': {'depth': 5}}, 'hooks': [{'type': 'A'}]})


@pytest.mark.parametrize('key', ['model.backbone.depth', 'model.backbone.new', 'hooks.0.type', 'randomness.seed'])
def test_options_that_mean_something_pass(cfg, key):
    check_options(cfg, {key: 1})


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('modle.backbone.depth', "unknown config key 'modle', did you mean 'model'"),
        ('model.bakbone.depth', "'model' has no key 'bakbone'"),
        ('model.backbone.depth.x.y', "'model.backbone.depth' has no key 'x'"),
        ('hooks.1.type', "'hooks' has no key '1'"),
    ],
)
def test_options_that_would_be_ignored_are_told(cfg, key, message):
    with pytest.raises(ConfigError, match=message):
        check_options(cfg, {key: 1})


def test_a_missing_file_is_told():
    with pytest.raises(FileNotFoundError, match='config not found: nowhere.py'):
        load_config('nowhere.py')


def test_options_are_merged(repository):
    cfg = load_config(str(repository / CONFIG), {'train_cfg.max_iters': 7})
    assert cfg.train_cfg.max_iters == 7
    assert cfg.model.decode_head.num_classes == 11


def test_a_hosts_config():
    cfg = load_config('mmseg::erfnet/erfnet_fcn_4xb4-160k_cityscapes-512x1024.py')
    assert cfg.model.backbone.type == 'ERFNet'
    assert default_work_dir('mmseg::erfnet/erfnet_fcn_4xb4.py') == 'work_dirs/erfnet_fcn_4xb4'


@pytest.mark.parametrize('package', ['mmnothing', 'mmrotate'])
def test_a_package_that_is_not_there_is_told_and_not_installed(package):
    with pytest.raises(ConfigError, match=f"{package}::x.py: no installed package '{package}' with configs"):
        load_config(f'{package}::x.py')


def test_recipes_of_the_installed_package(repository):
    """The environment of the tests installs this checkout; its recipes are found by package name from anywhere."""
    by_name = load_config('mmssl::erfnet/erfnet_1xb8-600i_camvid-192x256.py')
    by_path = load_config(str(repository / CONFIG))
    assert by_name.to_dict() == by_path.to_dict()
    with pytest.raises(FileNotFoundError, match='config not found: mmssl::nothing.py'):
        load_config('mmssl::nothing.py')
