"""How files of data are made that are spoilt: strategies, and writers that libraries for good files lack."""

import json
import struct
import zlib

import cv2
import numpy as np
from hypothesis import strategies as st

SIZE = (24, 32)
SPOILING = ('cut', 'flip', 'zero', 'noise', 'insert', 'remove', 'swap head')


@st.composite
def spoilt(draw, data: bytes, kinds=SPOILING) -> bytes:
    """Bytes with one fault somewhere."""
    kind = draw(st.sampled_from(kinds))
    place = draw(st.integers(0, len(data) - 1))
    length = draw(st.integers(1, 60))
    if kind == 'cut':
        return data[:place]
    if kind == 'flip':
        return data[:place] + bytes([data[place] ^ 1 << draw(st.integers(0, 7))]) + data[place + 1 :]
    noise = draw(st.binary(min_size=length, max_size=length))
    if kind == 'insert':
        return data[:place] + noise + data[place:]
    if kind == 'swap head':
        return noise + data[length:]
    fill = {'zero': bytes(length), 'noise': noise, 'remove': b''}[kind]
    return data[:place] + fill + data[place + length :]


def photograph() -> np.ndarray:
    """(24, 32, 3) uint8, smooth with some noise."""
    ramp = np.add.outer(np.arange(SIZE[0]) * 3, np.arange(SIZE[1]) * 4)
    noise = np.random.default_rng(0).integers(0, 20, (*SIZE, 3))
    return (ramp[..., None] + noise).astype(np.uint8)


def encoded(array: np.ndarray, suffix: str) -> bytes:
    """A good file."""
    return cv2.imencode(suffix, array)[1].tobytes()


def png(array: np.ndarray, depth: int, colour: int, size: tuple[int, int] | None = None) -> bytes:
    """A PNG of any depth, of any header, with right checksums."""
    height, width = size or array.shape[:2]
    rows = []
    for row in array.reshape(array.shape[0], -1):
        if depth >= 8:
            rows.append(row.astype('>u2' if depth == 16 else 'u1').tobytes())
        else:
            bits = ''.join(format(int(value), f'0{depth}b') for value in row)
            bits += '0' * (-len(bits) % 8)
            rows.append(bytes(int(bits[start : start + 8], 2) for start in range(0, len(bits), 8)))
    pixels = zlib.compress(b''.join(b'\0' + row for row in rows))
    header = struct.pack('>IIBBBBB', width, height, depth, colour, 0, 0, 0)
    palette = [(b'PLTE', bytes(range(256)) * 3)] if colour == 3 else []
    chunks = [(b'IHDR', header), *palette, (b'IDAT', pixels), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data)) for kind, data in chunks
    )


def coco() -> dict:
    """Annotations of two images with a polygon, run lengths and compressed ones."""
    images = [{'id': number, 'file_name': f'{number}.png', 'height': 24, 'width': 32} for number in (1, 2)]
    square = [4.0, 4.0, 12.0, 4.0, 12.0, 12.0, 4.0, 12.0]
    annotation = {'iscrowd': 0, 'bbox': [4.0, 4.0, 8.0, 8.0], 'area': 64.0}
    masks = [
        [square],
        {'size': [24, 32], 'counts': [100, 8, 24 * 32 - 108]},
        {'size': [24, 32], 'counts': 'T38dd0'},
    ]
    return {
        'images': images,
        'categories': [{'id': 5, 'name': 'a'}, {'id': 9, 'name': 'b'}],
        'annotations': [
            {'id': number, 'image_id': number % 2 + 1, 'category_id': (5, 9)[number % 2], 'segmentation': mask}
            | annotation
            for number, mask in enumerate(masks)
        ],
    }


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**6),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.one_of(st.integers(-3, 90), st.text(max_size=2), st.floats()), max_size=8),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def places(value, path=()) -> list[tuple]:
    """Paths to every key and entry of a JSON value."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [place for key, part in inner for place in [(*path, key), *places(part, (*path, key))]]


@st.composite
def spoilt_coco(draw) -> bytes:
    """A JSON file with one fault in its values, or in its bytes."""
    content = coco()
    kind = draw(st.sampled_from(('value', 'value', 'value', 'drop', 'double', 'bytes')))
    if kind == 'bytes':
        return draw(spoilt(json.dumps(content).encode(), kinds=('cut', 'zero', 'noise', 'remove', 'insert')))
    *path, last = draw(st.sampled_from(places(content)))
    node = content
    for key in path:
        node = node[key]
    if kind == 'value':
        node[last] = draw(VALUES)
    elif kind == 'drop':
        del node[last]
    elif isinstance(node, list):
        node.append(node[last])
    return json.dumps(content).encode()
