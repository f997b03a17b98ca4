"""Convert ERFNet weights of the public release or of mmseg to mmssl's names.

Example:
    python tools/model_converters/erfnet.py erfnet_pretrained.pth erfnet_mmssl.pth
"""

import argparse
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.tensor_file import read_state_dict, write_tensor_file
from mmssl.transfer.erfnet_checkpoints import convert_erfnet


def main() -> None:
    """Read, rename, write."""
    parser = argparse.ArgumentParser(description='Convert ERFNet weights to the names of mmssl.')
    parser.add_argument('source', type=Path, help='checkpoint of the public release or of mmseg')
    parser.add_argument('target', type=Path, help='file to write; load it with load_from or an init_cfg')
    args = parser.parse_args()
    with one_line_errors(*BUILD_ERRORS):
        converted, left_out = convert_erfnet(read_state_dict(args.source, 'source'))
        write_tensor_file({'state_dict': converted}, args.target)
    print(f'{len(converted)} tensors written to {args.target}')
    for name in left_out:
        print(f'  left out: {name}')


if __name__ == '__main__':
    main()
