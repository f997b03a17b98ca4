"""Convert ERFNet weights of the public release or of mmseg to mmssl's names.

Example:
    python tools/model_converters/erfnet.py erfnet_pretrained.pth erfnet_mmssl.pth
"""

import argparse
import os
from pathlib import Path

import torch

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.compat import allow_mmengine_checkpoints
from mmssl.transfer.erfnet_checkpoints import convert_erfnet


def main() -> None:
    """Read, rename, write."""
    parser = argparse.ArgumentParser(description='Convert ERFNet weights to the names of mmssl.')
    parser.add_argument('source', type=Path, help='checkpoint of the public release or of mmseg')
    parser.add_argument('target', type=Path, help='file to write; load it with load_from or an init_cfg')
    args = parser.parse_args()
    with one_line_errors(*BUILD_ERRORS):
        allow_mmengine_checkpoints()
        checkpoint = torch.load(args.source, map_location='cpu', weights_only=True)
        converted, left_out = convert_erfnet(checkpoint.get('state_dict', checkpoint))
        args.target.parent.mkdir(parents=True, exist_ok=True)
        partial = args.target.with_name(args.target.name + '.tmp')
        torch.save({'state_dict': converted}, partial)
        os.replace(partial, args.target)
    print(f'{len(converted)} tensors written to {args.target}')
    for name in left_out:
        print(f'  left out: {name}')


if __name__ == '__main__':
    main()
