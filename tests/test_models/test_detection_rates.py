"""Accuracy, false negatives and false positives of Mask R-CNN in training, counted by hand."""

import pytest
import torch
from mmdet.testing import demo_mm_inputs
from mmengine.registry import MODELS, DefaultScope, init_default_scope

from mmssl.apis.config import load_config
from mmssl.models.roi_heads import classification_rates, mask_rates

CLASSIFICATION = ('fast_rcnn/fg_cls_accuracy', 'fast_rcnn/false_negative')
MASK = ('mask_rcnn/accuracy', 'mask_rcnn/false_positive', 'mask_rcnn/false_negative')


def values(rates: dict, names: tuple) -> list[float]:
    assert tuple(rates) == names
    return [float(rates[name]) for name in names]


def scores_for(predicted: list[int], classes: int) -> torch.Tensor:
    return torch.eye(classes + 1)[predicted] * 3 - 1


def test_classification_by_hand():
    # Two classes, 2 is the background. Five objects: two found, one of the wrong class, two taken for background.
    # The two proposals of background count nowhere, although one of them is taken for an object.
    labels = torch.tensor([0, 1, 1, 0, 1, 2, 2])
    scores = scores_for([0, 1, 0, 2, 2, 2, 0], classes=2)
    assert values(classification_rates(scores, labels), CLASSIFICATION) == pytest.approx([2 / 5, 2 / 5])
    assert values(classification_rates(scores.softmax(1), labels), CLASSIFICATION) == pytest.approx([2 / 5, 2 / 5])
    assert values(classification_rates(scores.bfloat16(), labels), CLASSIFICATION) == pytest.approx([2 / 5, 2 / 5])


def test_mask_by_hand():
    # Two proposals of 2x3 pixels: 4 + 1 inside, 2 + 5 outside. Missed: 1 + 1; taken for inside: 1 + 0.
    targets = torch.tensor([[[1, 1, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 1]]]).float()
    logits = torch.tensor([[[5, 0.1, 2], [3, 0, -1]], [[-1, -1, -1], [-2, 0, -9]]])
    assert values(mask_rates(logits, targets), MASK) == pytest.approx([9 / 12, 1 / 7, 2 / 5])
    assert values(mask_rates(logits, targets.bool()), MASK) == pytest.approx([9 / 12, 1 / 7, 2 / 5])


def test_nothing_to_count_is_not_a_number():
    background = torch.tensor([2, 2])
    rates = values(classification_rates(scores_for([0, 2], 2), background), CLASSIFICATION)
    assert torch.tensor(rates).isnan().all()
    full = mask_rates(torch.tensor([[[1.0, -1.0]]]), torch.ones(1, 1, 2))
    assert float(full['mask_rcnn/accuracy']) == float(full['mask_rcnn/false_negative']) == 0.5
    assert full['mask_rcnn/false_positive'].isnan()
    empty = values(mask_rates(torch.empty(0, 28, 28), torch.empty(0, 28, 28)), MASK)
    assert torch.tensor(empty).isnan().all()


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r'scores \(2, 3\) and labels \(3,\), expected \(N, C \+ 1\) and \(N,\)$'):
        classification_rates(torch.zeros(2, 3), torch.zeros(3).long())
    with pytest.raises(ValueError, match=r'logits \(1, 2, 2\), targets \(2, 2\), expected the same$'):
        mask_rates(torch.zeros(1, 2, 2), torch.zeros(2, 2))


@pytest.fixture
def tiny_mask_rcnn():
    """mmdet's Mask R-CNN, narrow, with our heads; built as a recipe builds it."""
    cfg = load_config('mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py').model
    cfg.backbone.update(depth=18, base_channels=8, init_cfg=None)
    cfg.neck.update(in_channels=[8, 16, 32, 64], out_channels=8)
    cfg.rpn_head.update(in_channels=8, feat_channels=8)
    roi = cfg.roi_head
    roi.bbox_roi_extractor.out_channels = roi.mask_roi_extractor.out_channels = 8
    roi.bbox_head.update(type='mmssl.Shared2FCBBoxHeadWithRates', in_channels=8, fc_out_channels=16, num_classes=3)
    roi.mask_head.update(type='mmssl.FCNMaskHeadWithRates', in_channels=8, conv_out_channels=8, num_classes=3)
    init_default_scope('mmdet')
    yield cfg
    DefaultScope._instance_dict.clear()


def watch(head, name: str, seen: dict, monkeypatch) -> None:
    """Keep the arguments and the result of a head's method."""
    method = getattr(head, name)

    def call(*args, **kwargs):
        seen[name] = ((*args, *kwargs.values()), method(*args, **kwargs))
        return seen[name][1]

    monkeypatch.setattr(head, name, call)


@pytest.mark.parametrize('class_agnostic', [False, True])
def test_heads_log_what_the_functions_count(tiny_mask_rcnn, class_agnostic, monkeypatch):
    """The loss is mmdet's to the bit; the rates are those of the scores, labels, masks and targets it was made of."""
    tiny_mask_rcnn.roi_head.mask_head.class_agnostic = class_agnostic
    results = []
    for ours in (True, False):
        if not ours:
            tiny_mask_rcnn.roi_head.bbox_head.type = 'Shared2FCBBoxHead'
            tiny_mask_rcnn.roi_head.mask_head.type = 'FCNMaskHead'
        torch.manual_seed(0)
        model = MODELS.build(tiny_mask_rcnn)
        model.init_weights()
        seen = {}
        watch(model.roi_head.bbox_head, 'loss', seen, monkeypatch)
        watch(model.roi_head.mask_head, 'loss_and_target', seen, monkeypatch)
        batch = demo_mm_inputs(2, [(3, 64, 64)] * 2, num_classes=3, num_items=[3, 2], with_mask=True)
        torch.manual_seed(1)
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        results.append((model, losses, seen))
    (model, losses, seen), (_, reference, _) = results
    assert {name for name in losses if name not in reference} == {*CLASSIFICATION, *MASK}
    total, logged = model.parse_losses(losses)
    assert torch.equal(total, model.parse_losses(reference)[0])
    scores, _, _, labels = seen['loss'][0][:4]
    chosen = [(row.argmax().item(), label) for row, label in zip(scores, labels.tolist(), strict=True) if label < 3]
    assert float(logged['fast_rcnn/fg_cls_accuracy']) == pytest.approx(sum(p == t for p, t in chosen) / len(chosen))
    assert float(logged['fast_rcnn/false_negative']) == pytest.approx(sum(p == 3 for p, _ in chosen) / len(chosen))
    arguments, result = seen['loss_and_target']
    logits, samples = arguments[:2]
    classes = [label for sample in samples for label in sample.pos_gt_labels.tolist()]
    wrong = missed = 0
    for proposal, target, label in zip(logits, result['mask_targets'], classes, strict=True):
        inside = proposal[0 if class_agnostic else label] > 0
        wrong += (inside != target.bool()).sum().item()
        missed += (~inside & target.bool()).sum().item()
    target = result['mask_targets']
    assert len(target) == len(chosen) > 4
    assert float(logged['mask_rcnn/accuracy']) == pytest.approx(1 - wrong / target.numel())
    assert float(logged['mask_rcnn/false_negative']) == pytest.approx(missed / target.sum().item())
    outside = target.numel() - target.sum().item()
    assert float(logged['mask_rcnn/false_positive']) == pytest.approx((wrong - missed) / outside)


def test_a_batch_without_objects(tiny_mask_rcnn):
    model = MODELS.build(tiny_mask_rcnn)
    batch = demo_mm_inputs(2, [(3, 64, 64)] * 2, num_classes=3, num_items=[0, 0], with_mask=True)
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    assert torch.isfinite(model.parse_losses(losses)[0])
    assert all(losses[name].isnan() for name in (*CLASSIFICATION, *MASK))


def test_a_loss_with_outputs_of_its_own_is_refused(tiny_mask_rcnn):
    tiny_mask_rcnn.roi_head.bbox_head.loss_cls = {'type': 'SeesawLoss', 'num_classes': 3}
    with pytest.raises(ValueError, match='loss_cls is SeesawLoss, which has outputs of its own; expected a loss on'):
        MODELS.build(tiny_mask_rcnn.roi_head.bbox_head)
