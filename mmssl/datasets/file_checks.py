"""Whether the bytes of an image file are complete. Pure functions on bytes, far cheaper than decoding.

Decoders differ here: older OpenCV returns the readable part of a truncated file and paints the rest grey, newer
versions return nothing and print to stderr, and Pillow does not notice a lost end or flipped bits in a PNG.
"""

import struct
import zlib

_PNG = b'\x89PNG\r\n\x1a\n'
_JPEG = b'\xff\xd8'
_JPEG_END = b'\xff\xd9'
_JPEG_SCAN = 0xDA
# Markers without a length: TEM, RST0 to RST7, SOI.
_JPEG_BARE = {0x01, *range(0xD0, 0xD9)}


def file_damage(data: bytes) -> str | None:
    """Say what is wrong with the bytes of an image file.

    PNG: every chunk is there, its checksum is right, and the last is IEND. JPEG: an end marker follows the start of
    the scan. WebP and BMP: the file is as long as its header says. Other formats are left to the decoder.

    Args:
        data (bytes): The whole file.

    Returns:
        str | None: The damage as a phrase, or None where none was found.
    """
    if not data:
        return 'the file is empty'
    if data.startswith(_PNG):
        return _png_damage(data)
    if data.startswith(_JPEG):
        return _jpeg_damage(data)
    if data[:4] == b'RIFF' and data[8:12] == b'WEBP':
        return _length_damage(len(data), 8 + struct.unpack_from('<I', data, 4)[0])
    if data[:2] == b'BM' and len(data) >= 6:
        return _length_damage(len(data), struct.unpack_from('<I', data, 2)[0])
    return None


def png_layout(data: bytes) -> tuple[int, int] | None:
    """Bits a channel and colour type (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha) of a PNG.

    Args:
        data (bytes): The file, or its beginning.

    Returns:
        tuple[int, int] | None: The two numbers of its header, or None for another file.
    """
    return (data[24], data[25]) if data.startswith(_PNG) and len(data) > 25 else None


def _png_damage(data: bytes) -> str | None:
    position, view = len(_PNG), memoryview(data)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from('>I4s', data, position)
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(view[position + 4 : end - 4]) != struct.unpack_from('>I', data, end - 4)[0]:
            return f'the file is damaged (wrong checksum in the PNG chunk at byte {position})'
        if kind == b'IEND':
            return None
        position = end
    return f'the file is truncated (PNG without its end, {len(data)} bytes)'


def _jpeg_damage(data: bytes) -> str | None:
    # The end marker is looked for after the header only: a thumbnail in the header has an end marker of its own.
    # Inside the scan 0xFF is always stuffed, so that FFD9 there is the end and nothing else.
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in _JPEG_BARE:
            position += 2
        else:
            position += 2 + struct.unpack_from('>H', data, position + 2)[0]
            if marker == _JPEG_SCAN:
                break
    if data.rfind(_JPEG_END, position) < 0:
        return f'the file is truncated (JPEG without its end, {len(data)} bytes)'
    return None


def _length_damage(found: int, stated: int) -> str | None:
    return f'the file is truncated ({found} of {stated} bytes)' if found < stated else None
