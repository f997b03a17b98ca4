"""Predictions of a tiny Mask R-CNN: those of mmdet's inference_detector, and mistakes told in one line."""

import numpy as np
import pytest
import torch
from cutout_cases import CLASSES, picture, write_checkpoint, write_coco, write_recipe
from mmdet.apis import inference_detector, init_detector

from mmssl.apis.mask_prediction import MaskPredictor, leave_out_weak
from mmssl.errors import DataError, DataNotFoundError

SIZES = [(48, 64), (64, 48), (30, 90)]


@pytest.fixture(scope='module')
def trained(repository, tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    write_coco(folder)
    config = write_recipe(repository, folder)
    return str(config), str(write_checkpoint(config, folder / 'random.pth'))


@pytest.fixture(scope='module')
def references(trained):
    """What mmdet predicts for three images of different sizes."""
    model = init_detector(*trained, device='cpu')
    return [sample.pred_instances for sample in inference_detector(model, [picture(i, s) for i, s in enumerate(SIZES)])]


@pytest.mark.parametrize('score_thr', [0, 0.2, 0.5])
def test_as_mmdet_predicts(trained, references, score_thr):
    predictor = MaskPredictor(*trained, score_thr=score_thr)
    assert predictor.classes == CLASSES
    kept = []
    for index, (size, reference) in enumerate(zip(SIZES, references, strict=True)):
        (found,) = predictor.predict([predictor.prepare(picture(index, size))])
        strong = reference.scores > score_thr
        assert found.masks.dtype == torch.bool and found.masks.shape[1:] == size
        torch.testing.assert_close(found.scores, reference.scores[strong])
        assert torch.equal(found.labels, reference.labels[strong])
        assert (found.masks != reference.masks[strong]).float().mean() < 1e-3
        kept.append(int(strong.sum()))
    assert 0 < sum(kept) <= 18
    if score_thr == 0.5:
        assert sum(kept) < sum(len(reference.scores) for reference in references)


def test_batches(trained, references):
    predictor = MaskPredictor(*trained, score_thr=0)
    assert not predictor.batched
    in_turn = predictor.predict([predictor.prepare(picture(i, size)) for i, size in enumerate(SIZES)])
    for found, reference in zip(in_turn, references, strict=True):
        torch.testing.assert_close(found.scores, reference.scores)
    predictor.batched = True  # as on a GPU
    # One size, so that nothing is padded.
    alone = [predictor.predict([predictor.prepare(picture(seed))])[0] for seed in range(3)]
    batch = predictor.predict([predictor.prepare(picture(seed)) for seed in range(3)])
    for one, other in zip(alone, batch, strict=True):
        torch.testing.assert_close(one.scores, other.scores, rtol=1e-3, atol=1e-4)
        assert (one.masks != other.masks).float().mean() < 1e-2
    mixed = predictor.predict([predictor.prepare(picture(i, size)) for i, size in enumerate(SIZES)])
    assert [tuple(found.masks.shape[1:]) for found in mixed] == SIZES
    # The upright one is not padded to the lying ones beside it.
    torch.testing.assert_close(mixed[1].scores, references[1].scores)
    assert (mixed[1].masks != references[1].masks).float().mean() < 1e-3


def test_weak_instances_are_left_out_where_that_is_the_same():
    def raised(**model) -> float:
        model = {'test_cfg': {'rcnn': {'score_thr': 0.05, 'nms': {'type': 'nms'}}}, **model}
        leave_out_weak(model, 0.5)
        return model['test_cfg']['rcnn']['score_thr']

    assert raised() == raised(roi_head={'mask_head': {}}) == 0.5
    assert raised(roi_head={'mask_iou_head': {}}) == 0.05
    assert raised(test_cfg={'rcnn': {'score_thr': 0.05, 'nms': {'type': 'soft_nms'}}}) == 0.05
    assert raised(test_cfg={'rcnn': {'score_thr': 0.7, 'nms': {'type': 'nms'}}}) == 0.7
    leave_out_weak({'type': 'SOLO', 'test_cfg': {'nms_pre': 5}}, 0.5)  # no second stage


def test_classes_of_the_config(trained, tmp_path):
    state = torch.load(trained[1])
    torch.save(state['state_dict'], tmp_path / 'bare.pth')
    assert MaskPredictor(trained[0], str(tmp_path / 'bare.pth')).classes == CLASSES


def test_images_that_cannot_be_prepared(trained):
    predictor = MaskPredictor(*trained)
    with pytest.raises(DataError, match='^the image of 4000x1 pixels cannot be prepared: '):
        predictor.prepare(np.zeros((1, 4000, 3), np.uint8))


def test_other_checkpoints(trained, tmp_path):
    config, checkpoint = trained
    state = torch.load(checkpoint)
    del state['state_dict']['neck.fpn_convs.0.conv.bias']
    state['state_dict']['extra'] = torch.zeros(1)
    torch.save(state, tmp_path / 'other.pth')
    message = 'other.pth: does not fit the model, 2 tensors differ; first: neck.fpn_convs.0.conv.bias is missing$'
    with pytest.raises(DataError, match=message):
        MaskPredictor(config, str(tmp_path / 'other.pth'))
    with pytest.raises(DataError, match=r'first: roi_head.bbox_head.fc_cls.weight is \(4, 256\), not \(6, 256\)$'):
        options = {'model.roi_head.bbox_head.num_classes': 5, 'model.roi_head.mask_head.num_classes': 5}
        MaskPredictor(config, checkpoint, options=options)
    with pytest.raises(DataNotFoundError, match='none.pth: no such file'):
        MaskPredictor(config, str(tmp_path / 'none.pth'))
    (tmp_path / 'text.pth').write_text('no checkpoint')
    with pytest.raises(DataError, match='text.pth: damaged'):
        MaskPredictor(config, str(tmp_path / 'text.pth'))


def test_other_models_and_options(trained, repository):
    config, checkpoint = trained
    boxes = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'
    with pytest.raises(ValueError, match='faster_rcnn.*: FasterRCNN predicts no masks, expected one that does$'):
        MaskPredictor(boxes, checkpoint)
    segmentor = str(repository / 'configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py')
    with pytest.raises(ValueError, match='EncoderDecoder predicts no masks'):
        MaskPredictor(segmentor, checkpoint)
    with pytest.raises(ValueError, match='^score_thr is -1, expected 0 to 1$'):
        MaskPredictor(config, checkpoint, score_thr=-1)
    with pytest.raises(ValueError, match="^device 'tpu9': not found here"):
        MaskPredictor(config, checkpoint, device='tpu9')
    with pytest.raises(FileNotFoundError, match='^config not found: none.py$'):
        MaskPredictor('none.py', checkpoint)


def test_a_model_that_turns_out_to_have_no_masks(trained):
    predictor = MaskPredictor(*trained)
    predictor.model.test_step = lambda batch: batch['data_samples']
    with pytest.raises(ValueError, match='MaskRCNN predicts no masks, expected one that does$'):
        predictor.predict([predictor.prepare(picture(0))])
