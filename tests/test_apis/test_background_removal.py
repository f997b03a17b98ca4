"""What the inferencer makes of images: by hand, with a predictor that knows the answer."""

import weakref

import cv2
import numpy as np
import pytest
from cutout_cases import SIZE, HandPredictor, picture

from mmssl.apis.background_removal import BackgroundRemover, read_image
from mmssl.errors import DataError, DataNotFoundError
from mmssl.evaluation.cutouts import BACKGROUNDS, cut_out


def half(side: str) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[:, {'left': slice(0, 30), 'right': slice(40, 64)}[side]] = True
    return mask


LEFT_PERSON, RIGHT_CAR = (half('left'), 0), (half('right'), 2)


def nothing(image):
    return []


def both(image):
    return [RIGHT_CAR, LEFT_PERSON]


@pytest.mark.parametrize('background', BACKGROUNDS)
@pytest.mark.parametrize(
    ('instances', 'kept'),
    [
        ('all', half('left') | half('right')),
        ('largest', half('left')),
        (['car'], half('right')),
        (['car', 'person'], half('left') | half('right')),
    ],
)
def test_cut_outs(instances, kept, background):
    remover = BackgroundRemover(HandPredictor(both), instances=instances, background=background)
    np.testing.assert_array_equal(remover(picture(0)), cut_out(picture(0), kept, background))


@pytest.mark.parametrize('found', [nothing, lambda image: [(np.zeros(SIZE, bool), 1)], lambda image: [LEFT_PERSON]])
def test_no_instance(found):
    """Nothing found, a mask without a pixel, and no instance of the class."""
    image, build = picture(1), {'instances': ['bicycle']}
    assert (BackgroundRemover(HandPredictor(found), **build)(image) == 0).all()
    clear = BackgroundRemover(HandPredictor(found), background='transparent', **build)(image)
    assert clear.shape == (*SIZE, 4) and (clear == 0).all()
    kept = BackgroundRemover(HandPredictor(found), no_instance='keep', background='transparent', **build)(image)
    np.testing.assert_array_equal(kept[..., :3], image)
    assert (kept[..., 3] == 255).all()
    with pytest.raises(DataError, match='^no instance found$'):
        BackgroundRemover(HandPredictor(found), no_instance='fail', **build)(image)


@pytest.mark.parametrize('batch_size', [1, 2, 3, 10])
def test_many_images_in_order(tmp_path, batch_size):
    cv2.imwrite(str(tmp_path / 'a.png'), picture(2))
    predictor = HandPredictor(both)
    remover = BackgroundRemover(predictor, batch_size=batch_size, instances='largest')
    cut = list(remover([picture(0), tmp_path / 'a.png', str(tmp_path / 'a.png'), picture(1), picture(3)]))
    for result, seed in zip(cut, (0, 2, 2, 1, 3), strict=True):
        np.testing.assert_array_equal(result, cut_out(picture(seed), half('left')))
    assert sum(predictor.batches) == 5 and max(predictor.batches) == min(batch_size, 5)


@pytest.mark.parametrize('batch_size', [1, 4])
def test_no_more_than_a_batch_is_held(batch_size):
    alive, most = 0, 0

    def forget():
        nonlocal alive
        alive -= 1

    def images():
        nonlocal alive, most
        for seed in range(23):
            image = picture(seed)
            weakref.finalize(image, forget)
            alive += 1
            most = max(most, alive)
            yield seed, image
            del image

    remover = BackgroundRemover(HandPredictor(both), batch_size=batch_size)
    seeds = [seed for seed, _ in remover.stream(images())]
    assert seeds == list(range(23))
    assert alive == 0
    assert most == batch_size


def test_a_fault_in_a_batch_stays_in_its_place():
    class Narrow(HandPredictor):
        def prepare(self, image):
            if image.shape[0] == 1:
                raise DataError('too narrow')
            return super().prepare(image)

    predictor = Narrow(both)
    sizes = [SIZE, (1, 64), SIZE, (1, 64), (1, 64)]
    named = [(number, picture(number, size)) for number, size in enumerate(sizes)]
    results = list(BackgroundRemover(predictor, batch_size=3, instances='largest').stream(named))
    assert [name for name, _ in results] == [0, 1, 2, 3, 4]
    for name, result in results:
        if sizes[name] == SIZE:
            np.testing.assert_array_equal(result, cut_out(picture(name), half('left')))
        else:
            assert str(result) == 'too narrow'
    assert predictor.batches == [2]  # no empty batch is predicted


def test_bad_options():
    for options, message in (
        ({'background': 'red'}, "^background is 'red', expected black, white, blur, transparent$"),
        ({'no_instance': 'skip'}, "^no_instance is 'skip', expected empty, keep, fail$"),
        ({'batch_size': 0}, '^batch_size is 0, expected at least 1$'),
        ({'instances': ['cat', 'car']}, "^unknown class 'cat', expected some of person, bicycle, car$"),
        ({'instances': 'some'}, "^instances is 'some', expected all, largest or names of classes$"),
    ):
        with pytest.raises(ValueError, match=message):
            BackgroundRemover(HandPredictor(both), **options)
    nameless = HandPredictor(both)
    nameless.classes = None
    with pytest.raises(ValueError, match='neither checkpoint nor config names any'):
        BackgroundRemover(nameless, instances=['car'])


def test_reading(tmp_path):
    grey = picture(0)[..., 0]
    cv2.imwrite(str(tmp_path / 'grey.png'), grey)
    np.testing.assert_array_equal(read_image(tmp_path / 'grey.png'), np.repeat(grey[..., None], 3, axis=2))
    with pytest.raises(DataNotFoundError, match='none.png: the file does not exist$'):
        read_image(tmp_path / 'none.png')
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'grey.png').read_bytes()[:900])
    with pytest.raises(DataError, match='cut.png: the file is truncated'):
        read_image(tmp_path / 'cut.png')
