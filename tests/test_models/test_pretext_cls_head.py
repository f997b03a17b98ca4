"""Classification head: loss, accuracy and predictions of a tiny case by hand, labels that do not fit."""

import math

import pytest
import torch
from mmpretrain.evaluation import Accuracy
from mmpretrain.structures import DataSample

from mmssl.models.heads.pretext_cls_head import PretextClsHead


def tiny_head(**kwargs) -> PretextClsHead:
    """Two patches an image, of one channel; the score of class 0 is their difference, that of class 1 is 0."""
    head = PretextClsHead(num_classes=2, in_channels=1, hidden_channels=2, num_patches=2, **kwargs)
    with torch.no_grad():
        head.mlp.hidden.weight.copy_(torch.eye(2))
        head.mlp.hidden.bias.zero_()
        head.mlp.out.weight.copy_(torch.tensor([[1.0, -1.0], [0.0, 0.0]]))
        head.mlp.out.bias.zero_()
    return head


# Maxima 3, 1 and 1, 2: scores (2, 0) and (-1, 0).
FEATS = (torch.tensor([[3.0, 0.0], [1.0, -1.0], [1.0, 1.0], [0.0, 2.0]])[:, None, None],)


def samples(*labels: int) -> list[DataSample]:
    return [DataSample().set_gt_label(label) for label in labels]


def test_scores_loss_and_accuracy_by_hand():
    head = tiny_head()
    assert head(FEATS).tolist() == [[2.0, 0.0], [-1.0, 0.0]]
    losses = head.loss(FEATS, samples(0, 0))
    by_hand = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1))) / 2
    assert losses['loss'].item() == pytest.approx(by_hand, abs=1e-6)
    assert losses['accuracy_top-1'].item() == 50
    assert tiny_head().loss(FEATS, samples(0, 1))['accuracy_top-1'].item() == 100


def test_right_answers_count_with_negative_scores():
    """mmpretrain's head would count 0 of 2 here."""
    head = tiny_head()
    with torch.no_grad():
        head.mlp.out.bias.fill_(-7)
    assert head.loss(FEATS, samples(0, 1))['accuracy_top-1'].item() == 100


def test_accuracies_asked_for():
    losses = tiny_head(topk=(1, 2)).loss(FEATS, samples(0, 0))
    assert losses['accuracy_top-2'].item() == 100
    assert set(tiny_head(cal_acc=False).loss(FEATS, samples(0, 0))) == {'loss'}


def test_predictions_and_the_metric_of_the_host():
    outputs = tiny_head().predict(FEATS, samples(0, 0))
    assert [sample.pred_label.item() for sample in outputs] == [0, 1]
    assert outputs[0].pred_score.tolist() == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(2))])
    metric = Accuracy(topk=1)
    metric.process(None, [sample.to_dict() for sample in outputs])
    assert metric.evaluate(2) == {'accuracy/top1': 50.0}
    assert len(tiny_head().predict(FEATS)) == 2


def test_pre_logits():
    assert tiny_head().pre_logits(FEATS).tolist() == [[3.0, 1.0], [1.0, 2.0]]


def test_scope_of_the_host_does_not_change_the_loss(mmseg_scope):
    assert type(tiny_head().loss_module).__module__.startswith('mmpretrain')
    assert tiny_head(loss={'type': 'mmpretrain.LabelSmoothLoss', 'label_smooth_val': 0.1, 'num_classes': 2})


@pytest.mark.parametrize(
    ('options', 'line'),
    [
        ({'num_classes': 1}, 'num_classes is 1, expected 2 or more'),
        ({'num_classes': 4, 'topk': (1, 5)}, r'topk is \(1, 5\), expected numbers from 1 to num_classes=4'),
        ({'num_classes': 4, 'topk': ()}, r'topk is \(\)'),
    ],
)
def test_bad_options(options, line):
    with pytest.raises(ValueError, match=line):
        PretextClsHead(**options)


def test_bad_batches_are_one_line():
    with pytest.raises(ValueError, match='found the label 2, expected less than num_classes=2'):
        tiny_head().loss(FEATS, samples(0, 2))
    with pytest.raises(ValueError, match='found no gt_label, expected a target'):
        tiny_head().loss(FEATS, [DataSample(), DataSample()])
    with pytest.raises(ValueError, match='3 patches in a batch, expected a multiple of num_patches=2'):
        tiny_head()((FEATS[0][:3],))
