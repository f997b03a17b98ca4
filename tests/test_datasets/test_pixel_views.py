"""Two views: coordinates read off painted images, crops as torchvision's, the pipeline on real images."""

import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate
from mmengine.registry import DefaultScope, init_default_scope
from mmengine.structures import BaseDataElement
from mmpretrain.models.utils import SelfSupDataPreprocessor
from mmpretrain.structures import DataSample

from mmssl.datasets.transforms.affine_view import AffineView
from mmssl.datasets.transforms.pack_pixel_views import PackPixelViews
from mmssl.datasets.transforms.pixel_views import PixelViews
from mmssl.datasets.transforms.view_geometry import draw_crop, view_box
from mmssl.errors import DataError
from mmssl.models.selfsup.view_batch import stack_geometry, warped_views
from mmssl.registry import DATASETS

H, W = 200, 240


def painted() -> np.ndarray:
    """Each pixel says where it is: column, row, 7."""
    y, x = np.mgrid[:H, :W]
    return np.stack([x, y, np.full_like(x, 7)], axis=-1).astype(np.uint8)


@pytest.fixture
def mmpretrain_scope():
    init_default_scope('mmpretrain')
    yield
    DefaultScope._instance_dict.clear()


@pytest.mark.parametrize('interpolation', ['bilinear', 'bicubic'])
@pytest.mark.parametrize('backend', ['pillow', 'cv2'])
def test_pixels_say_what_the_boxes_say(backend, interpolation):
    np.random.seed(0)
    transform = PixelViews(scale=64, backend=backend, interpolation=interpolation)
    # Half a level is rounding; OpenCV's bilinear rounds twice.
    levels = 0.8 if (backend, interpolation) == ('cv2', 'bilinear') else 0.55
    flips, different = [], 0
    for _ in range(50):
        results = transform({'img': painted(), 'ori_shape': (H, W)})
        assert results['img_shape'] == (64, 64)
        assert results['boxes'].dtype == results['affine'].dtype == np.float32
        assert results['affine'].tolist() == [[[1, 0, 0], [0, 1, 0]]] * 2
        for view, (x1, y1, x2, y2) in zip(results['img'], results['boxes'], strict=True):
            assert view.shape == (64, 64, 3)
            assert view.dtype == np.uint8
            share = (np.arange(64) + 0.5) / 64
            # The pixel that shows k covers k to k + 1. Next to the edge of a crop there is less to interpolate with.
            inner = slice(3, 61)
            x, y = x1 + share * (x2 - x1) - 0.5, y1 + share * (y2 - y1) - 0.5
            assert np.abs(view[:, inner, 0] - x[inner]).max() < levels
            assert np.abs(view[inner, :, 1] - y[inner, None]).max() < levels
            assert np.abs((view[:, inner, 0] - x[inner]).mean()) < 0.2
            assert (view[..., 2] == 7).all()
            flips.append(x1 > x2)
            assert y1 < y2
        different += results['boxes'][0].tolist() != results['boxes'][1].tolist()
    assert 35 < sum(flips) < 65  # of 100
    assert different == 50


def test_crops_by_area_and_aspect():
    np.random.seed(0)
    crops = np.array([draw_crop(H, W, (0.08, 0.5), (3 / 4, 4 / 3)) for _ in range(2000)])
    left, top, right, bottom = crops.T
    assert left.min() == top.min() == 0
    assert right.max() == W
    assert bottom.max() == H
    width, height = right - left, bottom - top
    area, aspect = width * height / (H * W), np.log(width / height)
    # Rounding moves a side by half a pixel of at least 53.
    assert 0.08 * 0.98 < area.min() < 0.085
    assert 0.49 < area.max() < 0.5 * 1.01
    assert abs(area.mean() - 0.29) < 0.01  # the deviation of the mean is 0.003
    assert abs(np.abs(aspect).max() - np.log(4 / 3)) < 0.02
    assert abs(aspect.mean()) < 0.012  # 0.166 / sqrt(2000) = 0.004


@pytest.mark.parametrize(
    ('size', 'crop'),
    # 300 to 100 is wider than 4/3: 133 columns of the middle; the other way round 133 rows.
    [((100, 300), (83, 0, 216, 100)), ((300, 100), (0, 83, 100, 216)), ((100, 100), (0, 0, 100, 100))],
)
def test_an_image_too_long_gives_its_middle(size, crop):
    np.random.seed(0)
    assert draw_crop(*size, (1.0, 1.0), (3 / 4, 4 / 3)) == crop


def test_flip_swaps_the_edges():
    assert view_box((10, 20, 30, 60), False) == (10, 20, 30, 60)
    assert view_box((10, 20, 30, 60), True) == (30, 20, 10, 60)


def test_by_hand():
    """The left half of 2x4 pixels, as it is and mirrored."""

    class Fixed(PixelViews):
        def draw(self, height, width):
            return [((0, 0, 2, 2), False), ((1, 0, 3, 2), True)]

    image = np.arange(8, dtype=np.uint8).reshape(2, 4, 1).repeat(3, axis=2)  # 0 1 2 3 / 4 5 6 7
    results = Fixed(scale=2)({'img': image})
    assert results['img'][0][..., 0].tolist() == [[0, 1], [4, 5]]
    assert results['img'][1][..., 0].tolist() == [[2, 1], [6, 5]]
    assert results['boxes'].tolist() == [[0, 0, 2, 2], [3, 0, 1, 2]]


def test_each_view_has_its_own_transforms(mmpretrain_scope):
    solarize = {'type': 'Solarize', 'thr': 0, 'prob': 1.0}  # 255 - v
    transform = PixelViews(scale=8, flip_prob=0, crop_ratio_range=(1, 1), transforms=[[], [solarize]])
    first, second = transform({'img': painted()[:100, :100].copy()})['img']
    assert (first[..., 2] == 7).all()
    assert (second[..., 2] == 248).all()


def test_seed_of_numpy_decides():
    transform = PixelViews(scale=32)
    np.random.seed(3)
    first, other = (transform({'img': painted()}) for _ in range(2))
    np.random.seed(3)
    again = transform({'img': painted()})
    assert np.array_equal(first['boxes'], again['boxes'])
    assert np.array_equal(first['img'], again['img'])
    assert not np.array_equal(first['boxes'], other['boxes'])


def byol_view(blur: float, solarize: float) -> list[dict]:
    return [
        {'type': 'mmssl.RandomColorJitter', 'brightness': 0.4, 'contrast': 0.4, 'saturation': 0.2, 'hue': 0.1},
        {'type': 'RandomGrayscale', 'prob': 0.2, 'keep_channels': True, 'channel_weights': (0.114, 0.587, 0.2989)},
        {'type': 'GaussianBlur', 'magnitude_range': (0.1, 2.0), 'magnitude_std': 'inf', 'prob': blur},
        {'type': 'Solarize', 'thr': 128, 'prob': solarize},
    ]


def test_real_images_through_dataset_and_preprocessor(coco128_root, mmpretrain_scope):
    pipeline = [
        {'type': 'mmssl.LoadImage'},
        {'type': 'mmssl.PixelViews', 'scale': 96, 'transforms': [byol_view(1.0, 0.0), byol_view(0.1, 0.2)]},
        {'type': 'mmssl.AffineView', 'rotation': (-45, 45), 'translation': (-40, 40), 'shear_x': (-10, 10)},
        {'type': 'mmssl.PackPixelViews'},
    ]
    folder = next(path for path in sorted(coco128_root.rglob('*')) if path.is_dir() and list(path.glob('*.jpg')))
    dataset = DATASETS.build(
        {
            'type': 'mmssl.UnlabeledDataset',
            'data_root': str(folder.parent),
            'data_prefix': {'img_path': folder.name},
            'img_suffix': '.jpg',
            'pipeline': pipeline,
        }
    )
    np.random.seed(0)
    loader = torch.utils.data.DataLoader(dataset, 2, collate_fn=default_collate)
    raw = next(iter(loader))
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    batch = SelfSupDataPreprocessor(mean=mean, std=std, to_rgb=True)(raw, training=True)
    assert [tuple(view.shape) for view in batch['inputs']] == [(2, 3, 96, 96)] * 2
    for before, after in zip(raw['inputs'], batch['inputs'], strict=True):
        assert before.dtype == torch.uint8
        red = (before[:, 2].float() - mean[0]) / std[0]
        assert (after[:, 0] - red).abs().max() < 1e-6
    boxes, affine = stack_geometry(batch['data_samples'])
    assert boxes.shape == (2, 2, 4)
    assert affine.shape == (2, 2, 2, 3)
    assert boxes.dtype == affine.dtype == torch.float32
    for sample, box in zip(batch['data_samples'], boxes, strict=True):
        height, width = sample.ori_shape[:2]
        assert sample.img_shape == (96, 96)
        assert 0 <= box[:, ::2].min() < box[:, ::2].max() <= width
        assert 0 <= box[:, 1::2].min() < box[:, 1::2].max() <= height
        assert torch.equal(sample.boxes, box)
    assert torch.equal(affine[:, 1], torch.eye(2, 3).expand(2, 2, 3))
    # Determinant 1: nothing is enlarged.
    assert (torch.linalg.det(affine[:, 0, :, :2]) - 1).abs().max() < 1e-5
    assert not torch.equal(affine[0, 0], affine[1, 0])
    assert warped_views(affine) == (True, False)
    assert warped_views(affine.flip(1)) == (False, True)
    assert warped_views(affine[:, [1, 1]]) == (False, False)
    # A single warped image of the batch is enough.
    assert warped_views(torch.cat([affine[:, [1, 1]], affine[:1]])) == (True, False)


def sample_of(**fields) -> DataSample:
    sample = DataSample()
    sample.set_field('a.jpg', 'img_path', field_type='metainfo')
    for key, value in fields.items():
        sample.set_field(value, key)
    return sample


def test_views_without_coordinates():
    good = sample_of(boxes=torch.rand(2, 4), affine=torch.eye(2, 3).repeat(2, 1, 1))
    boxes, affine = stack_geometry([good, good])
    assert torch.equal(boxes[1], good.boxes)
    assert affine.shape == (2, 2, 2, 3)
    with pytest.raises(DataError, match=r'^a.jpg: views without coordinates: no affine, expected \(2, 2, 3\) from '):
        stack_geometry([good, sample_of(boxes=torch.rand(2, 4))])
    with pytest.raises(DataError, match=r'a.jpg: views without coordinates: boxes of shape \(4,\), expected \(2, 4\)'):
        stack_geometry([sample_of(boxes=torch.rand(4))])
    with pytest.raises(DataError, match='^sample 0: views without coordinates: no boxes'):
        stack_geometry([BaseDataElement()])


def test_packing_checks_the_views():
    np.random.seed(0)
    results = PixelViews(scale=16)({'img': painted(), 'img_path': 'a.jpg'})
    packed = PackPixelViews()(dict(results))
    assert [tuple(view.shape) for view in packed['inputs']] == [(3, 16, 16)] * 2
    assert packed['data_samples'].boxes.tolist() == results['boxes'].tolist()
    # On the CPU wherever the samples are sent.
    assert packed['data_samples'].to('meta').boxes.device.type == 'cpu'
    with pytest.raises(ValueError, match=r'^a.jpg: PackPixelViews found boxes: none, expected \(2, 4\) for two views'):
        PackPixelViews()({'img': results['img'], 'img_path': 'a.jpg'})
    with pytest.raises(ValueError, match=r'found boxes: shape \(2, 4\) for 3 views'):
        PackPixelViews()({**results, 'img': [*results['img'], results['img'][0]]})


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'scale': 0}, 'scale is 0'),
        ({'scale': (96, 128)}, r'scale is \(96, 128\)'),
        ({'transforms': [[]]}, 'transforms has 1 parts'),
        ({'transforms': [{'type': 'Solarize'}, {}]}, 'transforms has 2 parts'),
        ({'crop_ratio_range': (0.5, 0.1)}, r'crop_ratio_range is \(0.5, 0.1\)'),
        ({'crop_ratio_range': (0, 1)}, r'crop_ratio_range is \(0, 1\)'),
        ({'crop_ratio_range': (0.1, 1.1)}, r'crop_ratio_range is \(0.1, 1.1\)'),
        ({'aspect_ratio_range': (2, 1)}, r'aspect_ratio_range is \(2, 1\)'),
        ({'flip_prob': 1.5}, 'flip_prob is 1.5'),
        ({'interpolation': 'area'}, "interpolation is 'area'"),
        ({'backend': 'tensor'}, "backend is 'tensor'"),
    ],
)
def test_bad_options(options, line):
    with pytest.raises(ValueError, match=f'^PixelViews: {line}, expected'):
        PixelViews(**options)


@pytest.mark.parametrize(
    'moving',
    [{'type': 'RandomFlip', 'prob': 1.0}, {'type': 'Resize', 'scale': 8}, {'type': 'CenterCrop', 'crop_size': 4}],
)
def test_what_moves_a_view_is_refused(mmpretrain_scope, moving):
    with pytest.raises(ValueError, match='^a.jpg: a transform of PixelViews cropped, resized or flipped its view'):
        PixelViews(scale=16, transforms=[[], [moving]])({'img': painted(), 'img_path': 'a.jpg'})


def test_a_sample_that_is_given_up(mmpretrain_scope):
    assert PixelViews(scale=16, transforms=[[], [lambda results: None]])({'img': painted()}) is None


def test_bad_samples():
    with pytest.raises(ValueError, match=r'^a.jpg: PixelViews found an image of shape \(2, 2\)'):
        PixelViews()({'img': np.zeros((2, 2), np.uint8), 'img_path': 'a.jpg'})
    with pytest.raises(ValueError, match='^a.jpg: PixelViews found 2 views, expected one image'):
        PixelViews()({'img': [painted()] * 2, 'img_path': 'a.jpg'})
    with pytest.raises(ValueError, match='^a.jpg: AffineView found no two views with coordinates'):
        AffineView(rotation=30)({'img': painted(), 'img_path': 'a.jpg'})
