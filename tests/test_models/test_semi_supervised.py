"""The semi-supervised segmentor: what is mixed, what is learned from, what is left alone."""

import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmssl.models.segmentors.valid_region import valid_region
from mmssl.testing import paired_batch

CLASSES = 4


def segmentor_cfg(size=(32, 48)) -> dict:
    cfg = Config.fromfile('configs/_base_/models/erfnet.py').model
    cfg.decode_head.num_classes = CLASSES
    cfg.decode_head.loss_decode = {'type': 'mmssl.WeightedCrossEntropyLoss'}
    cfg.backbone.dropout = (0.0, 0.0)
    cfg.data_preprocessor.size = size
    return cfg


@pytest.fixture(scope='module', autouse=True)
def repository_root():
    """Configs are named relative to the repository."""
    import os
    from pathlib import Path

    before = Path.cwd()
    os.chdir(Path(__file__).resolve().parents[2])
    yield
    os.chdir(before)


def build(**options):
    init_default_scope('mmseg')
    torch.manual_seed(0)
    model = MODELS.build(dict(type='mmssl.SemiSupervisedSegmentor', segmentor=segmentor_cfg(), **options))
    model.teacher.synchronize(model.student)
    model.begin_iteration(0, 0)
    return model.train()


def prepared(model, seed=0, size=(32, 48), batch_size=2):
    return model.data_preprocessor(paired_batch(CLASSES, batch_size=batch_size, size=size, seed=seed), True)


CLASSMIX = {'mixing': {'type': 'mmssl.ClassMix'}}
DACS = dict(CLASSMIX, mix_source='labeled')


@pytest.mark.parametrize('options', [CLASSMIX, DACS, dict(CLASSMIX, target='soft')], ids=['classmix', 'dacs', 'soft'])
def test_gradients_reach_the_student_only(options):
    model = build(**options, weighting={'type': 'mmssl.ConstantWeighting'})
    data = prepared(model)
    losses = model(**data, mode='loss')
    assert losses['loss_unlabeled'].requires_grad and losses['loss_unlabeled'] > 0
    losses['loss_unlabeled'].backward()
    for name, parameter in model.student.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert sum(bool(parameter.grad.any()) for parameter in model.student.parameters()) > 100
    assert all(parameter.grad is None for parameter in model.teacher.parameters())
    assert not model.teach(data['inputs']['unlabeled']).requires_grad


def test_loss_changes_no_weight_and_nothing_of_the_teacher():
    model = build(**CLASSMIX)
    weights = {name: value.clone() for name, value in model.named_parameters()}
    teacher = copy.deepcopy(model.teacher.state_dict())
    model(**prepared(model), mode='loss')
    for name, value in model.named_parameters():
        assert torch.equal(value, weights[name]), name
    for name, value in model.teacher.state_dict().items():
        assert torch.equal(value, teacher[name]), name


def test_total_is_the_labelled_plus_the_weighted_unlabelled_loss():
    """Equation 3.1 with the share of equation 2.15, from parts computed apart."""
    model = build(**CLASSMIX, weighting={'type': 'mmssl.ConfidentShareWeighting', 'threshold': 0.3})
    data = prepared(model)
    losses = model(**copy.deepcopy(data), mode='loss')
    total, _ = model.parse_losses(losses)

    reference = build(**CLASSMIX)
    labeled = reference.student.loss(data['inputs']['labeled'], data['data_samples']['labeled'])
    with torch.no_grad():
        probabilities = reference.teacher.model._forward(data['inputs']['unlabeled']).softmax(1)
    share = (probabilities.amax(1) > 0.3).float().mean()
    labels = probabilities.argmax(1)
    mask = reference.mix_batch(data['inputs'], data['data_samples'], probabilities)
    scores = reference.student._forward(mask.images)
    one_by_one = [
        -scores[b, mask.labels[b, y, x], y, x] + scores[b, :, y, x].logsumexp(0)
        for b in range(2)
        for y in range(0, 32)
        for x in range(0, 48)
    ]
    expected = labeled['decode.loss_ce'] + share * torch.stack(one_by_one).mean()
    assert total.item() == pytest.approx(expected.item(), rel=1e-4)
    assert 0 < share < 1
    assert set(mask.labels.unique().tolist()) <= set(labels.unique().tolist())


def pair_of_two(valid=True) -> tuple[dict, dict]:
    """Images of 2x4 whose pixels say where they come from: labelled 100 + i, unlabelled 200 + i, image b adds 1000b."""
    pixels = torch.arange(8.0).view(1, 1, 2, 4)
    offset = torch.tensor([0.0, 1000.0]).view(2, 1, 1, 1)
    inputs = {
        'labeled': (pixels + offset + 100).expand(2, 3, 2, 4),
        'unlabeled': (pixels + offset + 200).expand(2, 3, 2, 4),
    }
    truth = torch.tensor([[[0, 0, 1, 255], [2, 2, 1, 255]], [[3, 3, 3, 3], [255, 255, 3, 3]]])
    labeled = [SegDataSample(metainfo={'img_shape': (2, 4)}, gt_sem_seg=PixelData(data=t[None])) for t in truth]
    unlabeled = [SegDataSample(metainfo={'img_shape': (2, 4)}) for _ in range(2)]
    return inputs, {'labeled': labeled, 'unlabeled': unlabeled}


def teacher_says() -> torch.Tensor:
    """Pseudo-labels of the two images: 0 0 1 1 / 2 2 3 3 with 0.9, and 1 everywhere with 0.7."""
    probabilities = torch.full((2, 4, 2, 4), 0.1 / 3)
    first = torch.tensor([[0, 0, 1, 1], [2, 2, 3, 3]])
    probabilities[0].scatter_(0, first[None], 0.9)
    probabilities[1] = 0.1
    probabilities[1, 1] = 0.7
    return probabilities


TRUTH = torch.tensor([[[0, 0, 1, 255], [2, 2, 1, 255]], [[3, 3, 3, 3], [255, 255, 3, 3]]])


def test_dacs_on_two_images_by_hand():
    """Source image 0 has the classes 0, 1, 2, of which two are drawn; image 1 has class 3 alone, which is drawn."""
    model = build(**DACS, weighting={'type': 'mmssl.ConfidentShareWeighting', 'threshold': 0.8})
    inputs, samples = pair_of_two()
    drawn = set()
    for iteration in range(20):
        model.begin_iteration(iteration, 0)
        mixed = model.mix_batch(inputs, samples, teacher_says())
        pasted = mixed.images[:, 0] % 1000 < 200
        # image 0: whole classes, two of three, never the ignored pixels
        classes = [k for k in (0, 1, 2) if bool(pasted[0][TRUTH[0] == k].all())]
        drawn.add(tuple(classes))
        assert len(classes) == 2
        expected = (TRUTH[0] == classes[0]) | (TRUTH[0] == classes[1])
        assert torch.equal(pasted[0], expected)
        # image 1: class 3 where it is, the target elsewhere
        assert torch.equal(pasted[1], TRUTH[1] == 3)
        for b in range(2):
            source = torch.where(pasted[b], inputs['labeled'][b, 0], inputs['unlabeled'][b, 0])
            assert torch.equal(mixed.images[b, 0], source)
        pseudo = torch.tensor([[[0, 0, 1, 1], [2, 2, 3, 3]], [[1] * 4] * 2])
        assert torch.equal(mixed.labels, torch.where(pasted, TRUTH, pseudo))
        # half of the target pixels are above 0.8; pasted pixels have full weight
        assert torch.equal(mixed.weight, torch.where(pasted, torch.tensor(1.0), torch.tensor(0.5)))
    assert drawn == {(0, 1), (0, 2), (1, 2)}


def test_dacs_of_the_released_code_may_paste_ignored_pixels():
    model = build(mixing={'type': 'mmssl.ClassMix', 'ignore_as_class': True}, mix_source='labeled')
    inputs, samples = pair_of_two()
    seen = set()
    for iteration in range(30):
        model.begin_iteration(iteration, 0)
        mixed = model.mix_batch(inputs, samples, teacher_says())
        pasted = mixed.images[:, 0] % 1000 < 200
        seen.add(bool((pasted[0] & (TRUTH[0] == 255)).any()))
        assert torch.equal(mixed.labels == 255, pasted & (TRUTH == 255))
    assert seen == {True, False}


def test_classmix_pastes_on_the_next_image_with_one_mask():
    model = build(**CLASSMIX, weighting={'type': 'mmssl.PixelThresholdWeighting', 'threshold': 0.8})
    inputs, samples = pair_of_two()
    mixed = model.mix_batch(inputs, samples, teacher_says())
    own = (mixed.images[:, 0] >= 1000) == torch.tensor([False, True]).view(2, 1, 1)
    pseudo = torch.tensor([[[0, 0, 1, 1], [2, 2, 3, 3]], [[1] * 4] * 2])
    assert [int(own[0][pseudo[0] == k].sum()) for k in range(4)].count(2) == 2  # two of four classes, whole
    assert own[1].all()  # one class, half of it rounded up
    weight = torch.tensor([1.0, 0.0]).view(2, 1, 1).expand(2, 2, 4)
    for part, values in (
        (mixed.labels, pseudo),
        (mixed.weight, weight),
        (mixed.images[:, 0], inputs['unlabeled'][:, 0]),
    ):
        assert torch.equal(part, torch.where(own, values, values.roll(-1, 0)))


@pytest.mark.parametrize('source', ['unlabeled', 'labeled'])
def test_soft_targets_are_mixed_distributions(source):
    model = build(**CLASSMIX, mix_source=source, target='soft')
    inputs, samples = pair_of_two()
    mixed = model.mix_batch(inputs, samples, teacher_says())
    labels = mixed.labels
    assert mixed.target.shape == (2, 4, 2, 4)
    ignored = labels == 255
    assert torch.equal(mixed.target.argmax(1)[~ignored], labels[~ignored])
    torch.testing.assert_close(mixed.target.sum(1)[~ignored], torch.ones(int((~ignored).sum())))
    pasted = mixed.images[:, 0] % 1000 < 200
    if source == 'labeled':
        assert mixed.target.amax(1)[pasted & ~ignored].unique().tolist() == [1.0]


def test_without_mixing_the_images_stay():
    model = build(mixing=None)
    inputs, samples = pair_of_two()
    mixed = model.mix_batch(inputs, samples, teacher_says())
    assert torch.equal(mixed.images, inputs['unlabeled'])


def test_padding_is_no_target():
    """The second image is 1x3 in a batch of 2x4: what was padded is not learned from, nor counted in the share."""
    model = build(mixing=None, weighting={'type': 'mmssl.ConfidentShareWeighting', 'threshold': 0.6})
    inputs, samples = pair_of_two()
    samples['unlabeled'][1].set_metainfo({'img_shape': (1, 3)})
    probabilities = teacher_says()
    probabilities[0] = 0.25  # nothing confident in image 0
    mixed = model.mix_batch(inputs, samples, probabilities)
    assert (mixed.labels[1] == 255).tolist() == [[False, False, False, True], [True] * 4]
    assert not (mixed.labels[0] == 255).any()
    assert mixed.weight.unique().tolist() == pytest.approx([3 / 11])


def test_valid_region_of_the_pipeline_goes_before_the_size():
    sample = SegDataSample(metainfo={'img_shape': (2, 3)})
    sample.valid_region = PixelData(data=torch.tensor([[[True, False, True], [False, True, True]]]))
    found = valid_region([sample, SegDataSample(metainfo={'img_shape': (3, 2)})], (3, 4), torch.device('cpu'))
    assert found[0].tolist() == [[True, False, True, False], [False, True, True, False], [False] * 4]
    assert found[1].tolist() == [[True, True, False, False]] * 3


def test_masks_and_augmentations_belong_to_seed_and_iteration():
    model = build(
        mixing={'type': 'mmssl.CutMix'},
        augmentations=[
            {'type': 'mmssl.BatchColorJitter', 'prob': 1.0},
            {'type': 'mmssl.BatchGaussianBlur', 'prob': 1.0},
        ],
    )
    data = prepared(model)
    probabilities = model.teach(data['inputs']['unlabeled'])

    def images(seed, iteration):
        model.begin_iteration(iteration, seed)
        torch.manual_seed(iteration * 7 + 3)  # torch's own state must not matter
        return model.mix_batch(data['inputs'], data['data_samples'], probabilities).images

    assert torch.equal(images(0, 5), images(0, 5))
    assert not torch.equal(images(0, 5), images(0, 6))
    assert not torch.equal(images(0, 5), images(1, 5))


def test_augmentation_undoes_and_redoes_the_normalisation():
    """An augmentation that changes nothing leaves the images as they were, and sees RGB in 0..1."""
    model = build(mixing=None)
    seen = []
    model.strong_view.augmentations.append(Spy(seen))
    data = prepared(model)
    mixed = model.mix_batch(data['inputs'], data['data_samples'], model.teach(data['inputs']['unlabeled']))
    torch.testing.assert_close(mixed.images, data['inputs']['unlabeled'], rtol=1e-4, atol=1e-4)
    raw = paired_batch(CLASSES, size=(32, 48))['inputs']['unlabeled']  # BGR, as loaded
    torch.testing.assert_close(seen[0][0], raw[0].flip(0).float() / 255, rtol=1e-4, atol=1e-4)


class Spy(torch.nn.Module):
    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def forward(self, images, generator):
        self.seen.append(images)
        return images


def test_burn_in_is_supervised():
    model = build(**CLASSMIX, burn_in=3)
    data = prepared(model)
    for iteration, expected in ((0, False), (2, False), (3, True), (4, True)):
        model.begin_iteration(iteration, 0)
        losses = model(**copy.deepcopy(data), mode='loss')
        assert ('loss_unlabeled' in losses) is expected
        plain = model.student.loss(data['inputs']['labeled'], data['data_samples']['labeled'])
        assert losses['decode.loss_ce'].item() == pytest.approx(plain['decode.loss_ce'].item(), rel=1e-5)


def test_record_is_made_once_when_asked_for():
    model = build(**CLASSMIX)
    data = prepared(model)
    model(**copy.deepcopy(data), mode='loss')
    assert model.record is None
    model.wants_record = True
    model(**copy.deepcopy(data), mode='loss')
    record = model.record
    assert record is not None and not model.wants_record
    mixed = torch.where(record.mask[:, None], record.first_images, record.second_images)
    torch.testing.assert_close(mixed, record.mixed_images)
    assert torch.equal(record.pseudo_labels, record.probabilities.argmax(1))
    assert record.student_logits.shape == (2, CLASSES, 32, 48) and not record.student_logits.requires_grad
    model(**copy.deepcopy(data), mode='loss')
    assert model.record is None


def test_distribution_alignment_changes_pseudo_labels():
    options = {'mixing': None, 'distribution_alignment': {'target': [0.01, 0.01, 0.97, 0.01], 'momentum': 0.0}}
    model = build(**options)
    inputs, samples = pair_of_two()
    plain = teacher_says()
    aligned = model.mix_batch(inputs, samples, plain.clone())
    running = plain.mean((0, 2, 3))
    expected = plain * (torch.tensor([0.01, 0.01, 0.97, 0.01]) / running)[:, None, None]
    assert torch.equal(aligned.labels, expected.argmax(1))
    assert not torch.equal(aligned.labels, plain.argmax(1))


def test_predict_on_chooses_the_network():
    model = build(**CLASSMIX).eval()
    with torch.no_grad():
        for parameter in model.teacher.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    images = torch.randn(1, 3, 32, 48)
    for name, network in (('student', model.student), ('teacher', model.teacher.model)):
        model.predict_on = name
        torch.testing.assert_close(model.predict(images)[0].seg_logits.data, network.predict(images)[0].seg_logits.data)
        torch.testing.assert_close(model._forward(images), network._forward(images))


def test_a_batch_without_a_labelled_pixel_has_no_labelled_loss():
    model = build(**DACS)
    data = prepared(model)
    for sample in data['data_samples']['labeled']:
        sample.gt_sem_seg.data.fill_(255)
    losses = model(**data, mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert losses['decode.loss_ce'].item() == 0
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.student.parameters())


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(CLASSMIX, mix_source='target'), "mix_source='target', expected one of"),
        (dict(CLASSMIX, target='hard'), "target='hard', expected one of"),
        (dict(CLASSMIX, predict_on='both'), "predict_on='both', expected one of"),
        ({'mixing': None, 'mix_source': 'labeled'}, "mix_source='labeled' without mixing"),
        (dict(CLASSMIX, burn_in=-1), 'burn_in=-1, expected 0 or more'),
        (dict(CLASSMIX, data_preprocessor={'type': 'SegDataPreProcessor'}), 'two different data_preprocessor'),
    ],
)
def test_mistakes_are_named(options, text):
    with pytest.raises(ValueError, match=text):
        build(**options)


def test_one_score_a_pixel_is_refused():
    cfg = segmentor_cfg()
    cfg.decode_head.update(num_classes=2, out_channels=1, threshold=0.5)
    init_default_scope('mmseg')
    with pytest.raises(ValueError, match='does not give one score a class'):
        MODELS.build(dict(type='mmssl.SemiSupervisedSegmentor', segmentor=cfg, **CLASSMIX))


def test_a_teacher_that_was_never_made_is_told():
    model = build(**CLASSMIX)
    model.teacher.ready = False
    with pytest.raises(ValueError, match='never synchronised with the student: add mmssl.MeanTeacherHook'):
        model(**prepared(model), mode='loss')
    model.predict_on = 'teacher'
    with pytest.raises(ValueError, match="predict_on='teacher': the teacher was never synchronised"):
        model.predict(torch.zeros(1, 3, 32, 48))


def test_images_to_mix_have_one_size():
    model = build(**DACS)
    inputs, samples = pair_of_two()
    inputs['labeled'] = torch.zeros(2, 3, 3, 4)
    for sample in samples['labeled']:
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, 3, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match='3x4.*2x4'):
        model.mix_batch(inputs, samples, teacher_says())


def test_images_of_a_branch_have_one_size():
    model = build(**CLASSMIX)
    batch = paired_batch(CLASSES, size=(32, 48))
    batch['inputs']['unlabeled'][1] = torch.zeros(3, 40, 48, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r'unlabelled images of 32x48 \(noise_0.png\) and 40x48 \(noise_1.png\)'):
        model.data_preprocessor(batch, True)
