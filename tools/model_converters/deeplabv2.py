"""Convert published DeepLabv2 weights to mmssl's names.

Out comes a file with ``state_dict`` for ``load_from`` or an ``init_cfg`` of configs/_base_/models/deeplabv2_r101.py.
The weights expect what that config gives them: BGR images of 0..255 minus a mean, and every tensor is kept as it was
published. ``--input rgb`` fits the first layer to RGB images normalised with ImageNet's mean and deviation, for a
model with that data_preprocessor; its features stay as they were.

Example:
    python tools/model_converters/deeplabv2.py resnet101COCO-41f33a49.pth data/weights/deeplabv2_coco.pth --no-head
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.tensor_file import read_state_dict, write_tensor_file
from mmssl.transfer.deeplabv2_checkpoints import convert_deeplabv2, fit_first_layer

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # RGB, of ImageNet


def main(argv: Sequence[str] | None = None) -> None:
    """Read, rename, write, say what was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='published checkpoint')
    parser.add_argument('target', type=Path, help='file to write')
    parser.add_argument('--num-classes', type=int, default=19, help='of your model; another classifier is left out')
    parser.add_argument('--no-head', action='store_true', help='leave the classifier out, whatever its classes')
    parser.add_argument('--input', choices=('bgr', 'rgb'), default='bgr', help='images of your model (default: bgr)')
    args = parser.parse_args(argv)
    with one_line_errors(*BUILD_ERRORS):
        state_dict = read_state_dict(args.source, 'DeepLabv2 checkpoint')
        converted, left_out, said = convert_deeplabv2(state_dict, None if args.no_head else args.num_classes)
        if args.input == 'rgb':
            converted = fit_first_layer(converted, MEAN, STD)
        write_tensor_file({'state_dict': converted}, args.target)
    trunk = sum(name.startswith('backbone.') for name in converted)
    print(
        f'{len(converted)} tensors written to {args.target}: {trunk} of the trunk, {len(converted) - trunk} of the head'
    )
    print(said)
    print('first layer fitted to normalised RGB images' if args.input == 'rgb' else 'first layer as published, for BGR')
    for name in left_out:
        print(f'  left out: {name}')


if __name__ == '__main__':
    main()
