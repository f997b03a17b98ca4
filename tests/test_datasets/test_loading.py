"""LoadImage and LoadSegAnnotations: equal to the hosts on good files, one line on bad ones."""

import io
import pickle
import time
import zlib

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import LoadImageFromFile
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from mmssl.datasets.file_checks import file_damage
from mmssl.datasets.transforms import LoadImage, LoadSegAnnotations
from mmssl.errors import DataError, DataNotFoundError, one_line


def seg_sample(path, **kwargs) -> dict:
    return {'seg_map_path': str(path), 'label_map': None, 'reduce_zero_label': False, 'seg_fields': [], **kwargs}


def error_of(transform, sample) -> str:
    with pytest.raises(DataError) as caught:
        transform(sample)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def encoded(suffix: str, seed: int = 0) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, size=(40, 50, 3), dtype=np.uint8)
    return cv2.imencode(suffix, noise)[1].tobytes()


def test_image_equals_mmcv_on_camvid(camvid_root):
    path = str(camvid_root / 'train' / '0001TP_006690.png')
    ours, theirs = LoadImage()({'img_path': path}), LoadImageFromFile()({'img_path': path})
    np.testing.assert_array_equal(ours['img'], theirs['img'])
    assert ours['ori_shape'] == ours['img_shape'] == (360, 480)
    assert LoadImage(to_float32=True)({'img_path': path})['img'].dtype == np.float32


def test_no_real_image_is_called_damaged(camvid_root, coco128_root):
    files = sorted(coco128_root.rglob('*.jpg')) + sorted((camvid_root / 'valannot').iterdir())
    assert len(files) == 128 + 101
    assert [file for file in files if file_damage(file.read_bytes())] == []


def test_missing_and_empty_images(tmp_path):
    path = tmp_path / 'a.png'
    with pytest.raises(FileNotFoundError):
        LoadImage()({'img_path': str(path)})
    assert error_of(LoadImage(), {'img_path': str(path)}) == f'{path}: the file does not exist'
    path.write_bytes(b'')
    assert error_of(LoadImage(), {'img_path': str(path)}) == f'{path}: the file is empty'
    path.write_bytes(b'not an image')
    assert error_of(LoadImage(), {'img_path': str(path)}) == f'{path}: not a readable image (12 bytes, cv2)'
    assert error_of(LoadImage(), {'img_path': str(tmp_path)}) == f'{tmp_path}: the file cannot be read (Is a directory)'


@pytest.mark.parametrize('part', [0.02, 0.3, 0.5, 0.9, 0.99])
def test_truncated_images(tmp_path, part):
    for suffix, end in (('.png', 'PNG'), ('.jpg', 'JPEG')):
        data = encoded(suffix)
        cut = data[: int(len(data) * part)]
        path = tmp_path / f'a{suffix}'
        path.write_bytes(cut)
        assert error_of(LoadImage(), {'img_path': str(path)}) == (
            f'{path}: the file is truncated ({end} without its end, {len(cut)} bytes)'
        )
    for suffix in ('.bmp', '.webp'):
        data = encoded(suffix)
        cut = data[: int(len(data) * part)]
        path = tmp_path / f'a{suffix}'
        path.write_bytes(cut)
        assert error_of(LoadImage(), {'img_path': str(path)}) == (
            f'{path}: the file is truncated ({len(cut)} of {len(data)} bytes)'
        )


def test_last_bytes_lost_are_found():
    """Pillow reads a PNG without its last chunk, and every JPEG decoder a file without its end marker."""
    png, jpeg = encoded('.png'), encoded('.jpg')
    assert np.array(Image.open(io.BytesIO(png[:-12]))).shape == (40, 50, 3)
    assert file_damage(png[:-1]).startswith('the file is truncated (PNG')
    assert file_damage(jpeg[:-1]).startswith('the file is truncated (JPEG')
    assert file_damage(png) is None and file_damage(jpeg) is None
    assert file_damage(png + b'trailer') is None and file_damage(jpeg + bytes(100)) is None


def test_end_marker_of_a_thumbnail_does_not_count():
    jpeg = encoded('.jpg')
    thumbnail = b'Exif\x00\x00' + encoded('.jpg', seed=1)[:20000]
    segment = b'\xff\xe1' + (len(thumbnail) + 2).to_bytes(2, 'big') + thumbnail
    assert b'\xff\xd9' in segment
    with_thumbnail = jpeg[:2] + segment + jpeg[2:]
    assert file_damage(with_thumbnail) is None
    assert file_damage(with_thumbnail[: len(segment) + 400]) == (
        f'the file is truncated (JPEG without its end, {len(segment) + 400} bytes)'
    )


def test_flipped_bit_in_a_png_is_found():
    data = bytearray(encoded('.png'))
    start = data.index(b'IDAT') - 4
    data[start + 30] ^= 1
    assert file_damage(bytes(data)) == f'the file is damaged (wrong checksum in the PNG chunk at byte {start})'
    length = int.from_bytes(data[start : start + 4], 'big')
    data[start + 8 + length : start + 12 + length] = zlib.crc32(data[start + 4 : start + 8 + length]).to_bytes(4, 'big')
    assert file_damage(bytes(data)) is None  # with the right checksum it is another image, not a damaged one


def test_mask_equals_mmseg_on_camvid(camvid_root, mmseg_scope):
    from mmseg.datasets.transforms import LoadAnnotations

    label_map = {**{i: i for i in range(11)}, 11: 255}
    for path in sorted((camvid_root / 'valannot').iterdir())[:5]:
        theirs = LoadAnnotations()(seg_sample(path, label_map=label_map))['gt_seg_map']
        sample = LoadSegAnnotations()(seg_sample(path, label_map=label_map, num_classes=11))
        np.testing.assert_array_equal(sample['gt_seg_map'], theirs)
        assert sample['gt_seg_map'].dtype == np.uint8 and sample['seg_fields'] == ['gt_seg_map']
        assert 255 in sample['gt_seg_map'] and 11 not in sample['gt_seg_map']


def test_mask_can_be_written_to(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / 'm.png')
    LoadSegAnnotations(num_classes=3)(seg_sample(tmp_path / 'm.png'))['gt_seg_map'][0, 0] = 1


def test_palette_masks_keep_their_ids(tmp_path):
    ids = np.array([[0, 1], [2, 255]], dtype=np.uint8)
    image = Image.fromarray(ids).convert('L')
    image = Image.frombytes('P', (2, 2), image.tobytes())
    image.putpalette(list(np.random.default_rng(0).integers(0, 256, 768)))
    image.save(tmp_path / 'm.png')
    loaded = LoadSegAnnotations(num_classes=3)(seg_sample(tmp_path / 'm.png'))['gt_seg_map']
    assert loaded.tolist() == ids.tolist()


@pytest.mark.parametrize('bits', [1, 2, 4])
def test_grey_masks_of_few_bits_keep_their_ids(tmp_path, bits):
    """Decoders stretch them to 0..255, where the last id would be ignored."""
    ids = np.arange(16, dtype=np.uint8).reshape(4, 4) % 2**bits
    image, path = Image.fromarray(ids).convert('P'), tmp_path / 'm.png'
    image.putdata(ids.ravel().tolist())
    image.putpalette([0, 0, 0] * 2**bits)
    image.save(path, bits=bits)
    data = path.read_bytes()
    # the palette taken out and the colour type made grey: what optimisers of PNG write
    start = data.index(b'PLTE') - 4
    data = data[:start] + data[start + 12 + int.from_bytes(data[start : start + 4], 'big') :]
    header = b'IHDR' + data[16:25] + b'\0' + data[26:29]
    path.write_bytes(data[:12] + header + zlib.crc32(header).to_bytes(4, 'big') + data[33:])
    for backend in ('pillow', 'cv2'):
        load = LoadSegAnnotations(num_classes=2**bits, imdecode_backend=backend)
        assert load(seg_sample(path))['gt_seg_map'].tolist() == ids.tolist()


def test_several_channels_of_16_bits(tmp_path):
    """Pillow keeps their upper 8 bits, in which all ids are 0."""
    path = tmp_path / 'm.png'
    cv2.imwrite(str(path), np.full((4, 4, 3), 2, np.uint16))
    for backend in ('pillow', 'cv2'):
        assert error_of(LoadSegAnnotations(num_classes=3, imdecode_backend=backend), seg_sample(path)) == (
            f'{path}: the mask has several channels of 16 bits; expected one channel that holds class ids'
        )


def test_bad_masks(tmp_path):
    load, path = LoadSegAnnotations(num_classes=3), tmp_path / 'm.png'
    assert error_of(load, seg_sample(path)) == f'{path}: the file does not exist'
    path.write_bytes(b'x' * 9)
    assert error_of(load, seg_sample(path)) == f'{path}: not a readable image (9 bytes, pillow)'
    cv2.imwrite(str(path), np.dstack([np.full((4, 4), v, np.uint8) for v in (1, 2, 3)]))
    assert (
        error_of(load, seg_sample(path)) == f'{path}: the mask is in colour; expected one channel that holds class ids'
    )
    cv2.imwrite(str(path), np.array([[0, 256], [2, 1]], np.uint16))
    assert error_of(load, seg_sample(path)) == (
        f'{path}: the mask has 16 bits and ids from 0 to 256; expected ids in 0..255'
    )
    cv2.imwrite(str(path), np.array([[0, 255], [2, 1]], np.uint16))
    assert load(seg_sample(path))['gt_seg_map'].tolist() == [[0, 255], [2, 1]]
    cv2.imwrite(str(path), np.array([[0, 3], [2, 254]], np.uint8))
    assert error_of(load, seg_sample(path)) == f'{path}: the mask holds the ids 3, 254; expected 0..2, 255'
    cv2.imwrite(str(path), np.zeros((4, 5), np.uint8))
    assert error_of(load, seg_sample(path, img_path='i.jpg', ori_shape=(5, 5))) == (
        f'{path}: the mask has 4x5 pixels (height x width), its image i.jpg has 5x5'
    )
    data = path.read_bytes()
    cut = data.replace(b'IHDR', b'IHDX', 1)
    path.write_bytes(cut)
    assert error_of(load, seg_sample(path)) == (
        f'{path}: the file is damaged (wrong checksum in the PNG chunk at byte 8)'
    )
    path.write_bytes(data[:-5])
    assert error_of(load, seg_sample(path)) == (
        f'{path}: the file is truncated (PNG without its end, {len(data) - 5} bytes)'
    )
    assert error_of(load, {'img_path': 'i.jpg'}) == 'i.jpg: the image has no mask; expected one to load'


def test_one_pipeline_serves_two_datasets(tmp_path):
    load, path = LoadSegAnnotations(), tmp_path / 'm.png'
    cv2.imwrite(str(path), np.array([[0, 2]], np.uint8))
    assert load(seg_sample(path, num_classes=3))['gt_seg_map'].tolist() == [[0, 2]]
    assert error_of(load, seg_sample(path, num_classes=2)) == f'{path}: the mask holds the ids 2; expected 0..1, 255'
    assert load(seg_sample(path, num_classes=2, label_map={0: 1, 2: 0}))['gt_seg_map'].tolist() == [[1, 0]]
    with pytest.raises(ValueError, match='num_classes is not known'):
        load(seg_sample(path))


def test_mask_is_compared_with_the_file_not_with_the_resized_image(tmp_path):
    """In the test pipeline the mask is loaded after Resize and keeps its size."""
    path = tmp_path / 'm.png'
    cv2.imwrite(str(path), np.zeros((8, 10), np.uint8))
    sample = seg_sample(path, img_path='i.png', ori_shape=(8, 10), img_shape=(4, 5), num_classes=1)
    assert LoadSegAnnotations()(sample)['gt_seg_map'].shape == (8, 10)


def test_unknown_options_raise():
    with pytest.raises(TypeError, match='ignore_empty'):
        LoadImage(ignore_empty=True)
    with pytest.raises(TypeError, match='reduce_zero_label'):
        LoadSegAnnotations(reduce_zero_label=True)


class OneBadImage(Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        return torch.from_numpy(LoadImage()({'img_path': self.paths[index]})['img'])


@pytest.mark.parametrize('kind', ['truncated', 'missing'])
def test_error_from_a_worker_process_is_one_line(tmp_path, kind):
    paths = [str(tmp_path / f'{i}.png') for i in range(6)]
    data = encoded('.png')
    for i in range(6):
        if i != 4:
            (tmp_path / f'{i}.png').write_bytes(data)
        elif kind == 'truncated':
            (tmp_path / f'{i}.png').write_bytes(data[:100])
    expected = f'{paths[4]}: ' + (
        'the file is truncated (PNG without its end, 100 bytes)' if kind == 'truncated' else 'the file does not exist'
    )
    with pytest.raises(DataNotFoundError if kind == 'missing' else DataError) as caught:
        for _ in DataLoader(OneBadImage(paths), batch_size=1, num_workers=2):
            pass
    assert str(caught.value).count('\n') > 5  # torch put a traceback into the text
    assert one_line(caught.value) == expected


def test_one_line_of_other_errors():
    assert one_line(ValueError('a\n  b')) == 'a b'
    assert one_line(RuntimeError()) == 'RuntimeError'
    assert one_line(KeyError('x')) == "KeyError: 'x'"
    assert one_line(KeyError('x is not in the registry')) == 'x is not in the registry'
    assert one_line(FileNotFoundError(2, 'No such file or directory', 'a.png')) == (
        "[Errno 2] No such file or directory: 'a.png'"
    )
    chained = (
        'Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File "a"\n'
        'mmssl.errors.DataError: first\n\nDuring handling of the above exception, another exception occurred:\n\n'
        'Traceback (most recent call last):\n  File "b"\nmmssl.errors.DataError: second: with colon\n'
    )
    assert one_line(DataError(chained)) == 'second: with colon'


def test_errors_survive_pickling():
    for kind in (DataError, DataNotFoundError):
        copy = pickle.loads(pickle.dumps(kind('a.png: the file is empty')))
        assert type(copy) is kind and str(copy) == 'a.png: the file is empty'
    assert issubclass(DataNotFoundError, ValueError) and issubclass(DataNotFoundError, FileNotFoundError)


def test_checks_cost_little(camvid_root, mmseg_scope):
    """Loading a mask takes at most 1.1 times mmseg's; the limit of the test leaves room for a busy machine."""
    from mmseg.datasets.transforms import LoadAnnotations

    paths = sorted((camvid_root / 'valannot').iterdir())[:20]
    label_map = {**{i: i for i in range(11)}, 11: 255}

    def seconds(transform) -> float:
        start = time.process_time()
        for path in paths:
            transform(seg_sample(path, label_map=label_map, num_classes=11))
        return time.process_time() - start

    ours, theirs = LoadSegAnnotations(), LoadAnnotations()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(5)]
    assert min(a for a, _ in pairs) < 1.5 * min(b for _, b in pairs)
