"""Evaluation on masks that were resized with their images."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmseg.models import EncoderDecoder

from mmssl.datasets.transforms import EvaluateAtInputSize
from mmssl.errors import DataError
from mmssl.evaluation.per_class_iou import PerClassIoUMetric

LOAD = [{'type': 'mmssl.LoadImage'}, {'type': 'mmssl.LoadSegAnnotations', 'num_classes': 3}]
RESIZE = {'type': 'Resize', 'scale': (48, 32), 'keep_ratio': False}
AT_INPUT = {'type': 'mmssl.EvaluateAtInputSize'}
PACK = {'type': 'PackSegInputs'}


class Scores(EncoderDecoder):
    """A segmentor that only loads, resizes and compares: its scores are the image's own channels."""

    def __init__(self, size_divisor=None):
        super().__init__(
            data_preprocessor={
                'type': 'SegDataPreProcessor',
                'pad_val': 0,
                'seg_pad_val': 255,
                'test_cfg': {'size_divisor': size_divisor} if size_divisor else None,
            },
            backbone={'type': 'mmssl.ERFNetEncoder'},
            decode_head={'type': 'mmssl.ERFNetDecodeHead', 'num_classes': 3},
            test_cfg={'mode': 'whole'},
        )

    def inference(self, inputs, batch_img_metas):
        return inputs


@pytest.fixture
def sample(tmp_path):
    """A mask of 64x96 and its image, each class in a channel; two rows of a class that halving loses."""
    mask = np.zeros((64, 96), np.uint8)
    mask[:, 40:] = 1
    mask[21:22] = 2
    mask[:5, :5] = 255
    image = np.stack([(mask == c) * 255 for c in range(3)], axis=-1).astype(np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    cv2.imwrite(str(tmp_path / 'a_mask.png'), mask)
    return {
        'img_path': str(tmp_path / 'a.png'),
        'seg_map_path': str(tmp_path / 'a_mask.png'),
        'seg_fields': [],
        'reduce_zero_label': False,
    }


def predict(sample, pipeline, size_divisor=None):
    packed = Compose(pipeline)(dict(sample, seg_fields=[]))
    model = Scores(size_divisor).eval()
    batch = {'inputs': [packed['inputs']], 'data_samples': [packed['data_samples']]}
    with torch.no_grad():
        (result,) = model.test_step(batch)
    return packed, result


@pytest.mark.parametrize('size_divisor', [None, 20])
def test_prediction_and_mask_have_the_input_size(sample, mmseg_scope, size_divisor):
    packed, result = predict(sample, [*LOAD, RESIZE, AT_INPUT, PACK], size_divisor)
    assert result.ori_shape == result.img_shape == (32, 48)
    assert result.pred_sem_seg.data.shape == result.gt_sem_seg.data.shape == (1, 32, 48)
    # nothing is interpolated: the prediction is the arg-max of the input itself, padding cut off again
    assert torch.equal(result.pred_sem_seg.data[0], packed['inputs'].float().argmax(0))
    nearest = cv2.resize(cv2.imread(sample['seg_map_path'], -1), (48, 32), interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(result.gt_sem_seg.data[0].numpy(), nearest)
    metric = PerClassIoUMetric(iou_metrics=['mIoU'])
    metric.dataset_meta = {'classes': ('a', 'b', 'c')}
    metric.process({}, [result.to_dict()])
    assert int(metric.results[0][3].sum()) == int((nearest != 255).sum())


def test_without_it_the_size_is_that_of_the_file(sample, mmseg_scope):
    mask_last = [LOAD[0], RESIZE, LOAD[1], PACK]
    _, result = predict(sample, mask_last)
    assert result.pred_sem_seg.data.shape == result.gt_sem_seg.data.shape == (1, 64, 96)


def test_a_mask_of_another_size_is_told(sample, mmseg_scope):
    with pytest.raises(DataError) as caught:
        results = dict(sample, seg_fields=[])
        for step in [LOAD[0], LOAD[1]]:
            results = Compose([step])(results)
        results['img'] = cv2.resize(results['img'], (48, 32))
        EvaluateAtInputSize()(results)
    assert str(caught.value) == (
        f'{sample["seg_map_path"]}: EvaluateAtInputSize found a mask of 64x96, expected 32x48 as the image; '
        'load it before Resize'
    )
    # the mask behind it, at full size
    with pytest.raises(DataError, match='the mask has 64x96 pixels .* has 32x48'):
        Compose([LOAD[0], RESIZE, AT_INPUT, LOAD[1], PACK])(dict(sample, seg_fields=[]))


def test_prediction_without_a_mask(sample, mmseg_scope):
    results = Compose([LOAD[0], RESIZE, AT_INPUT])(dict(sample))
    assert results['ori_shape'] == results['img_shape'] == (32, 48)
