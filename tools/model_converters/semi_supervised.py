"""Take one network out of a semi-supervised or multi-task checkpoint, for the plain recipe and for deployment.

Student or teacher, also of a training with pretext tasks; of one without a teacher the segmentor, without their heads.

Example:
    python tools/model_converters/semi_supervised.py work_dirs/classmix/iter_1600.pth student.pth
    python tools/test.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py student.pth
    python tools/model_converters/semi_supervised.py work_dirs/joint/iter_1000.pth plain.pth --network segmentor
"""

import argparse
from pathlib import Path

from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.tensor_file import read_state_dict, write_tensor_file
from mmssl.transfer.semi_supervised_checkpoints import PREFIXES, network_weights


def main() -> None:
    """Read, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='checkpoint of a SemiSupervisedSegmentor or MultiTaskSegmentor')
    parser.add_argument('target', type=Path, help='file to write: {state_dict}, names of the plain segmentor')
    parser.add_argument('--network', choices=tuple(PREFIXES), default='student', help='default: student')
    args = parser.parse_args()
    with one_line_errors(*BUILD_ERRORS):
        weights = network_weights(read_state_dict(args.source, 'checkpoint'), args.network, str(args.source))
        write_tensor_file({'state_dict': weights}, args.target)
    print(f'{args.network}: {len(weights)} tensors written to {args.target}')


if __name__ == '__main__':
    main()
