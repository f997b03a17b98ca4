"""Print how often each class occurs in a dataset of a config, with the weights of equation 4.1.

Example:
    python tools/analysis_tools/class_frequencies.py configs/erfnet/erfnet_1xb8-600i_camvid-192x256.py
"""

import argparse

import numpy as np
from mmengine.config import DictAction
from mmengine.registry import DATASETS, init_default_scope
from prettytable import PrettyTable

from mmssl.apis.config import load_config
from mmssl.apis.one_line_errors import BUILD_ERRORS, one_line_errors
from mmssl.datasets.class_frequencies import class_frequencies
from mmssl.models.losses.class_weights import enet_class_weights


def main() -> None:
    """Count and print a table, rarest class last."""
    parser = argparse.ArgumentParser(description='Class frequencies of a dataset, and ENet class weights.')
    parser.add_argument('config', help='config file, or package::file for one of a host package')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='which dataloader')
    parser.add_argument('--c', type=float, default=1.02, help='bound of equation 4.1 (default: %(default)s)')
    parser.add_argument('--cache-dir', default='work_dirs/class_frequencies', help='where counts are kept')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='override the config')
    args = parser.parse_args()
    with one_line_errors(*BUILD_ERRORS):
        cfg = load_config(args.config, args.cfg_options)
        init_default_scope(cfg.get('default_scope', 'mmseg'))
        dataset = DATASETS.build(cfg[f'{args.split}_dataloader'].dataset)
        frequencies = class_frequencies(dataset, args.cache_dir)
        weights = enet_class_weights(frequencies, args.c)
    table = PrettyTable(['class', 'share of labelled pixels / %', 'weight'], align='r')
    for index in np.argsort(-frequencies):
        name = dataset.metainfo['classes'][index]
        table.add_row([name, f'{100 * frequencies[index]:.3f}', f'{weights[index]:.2f}'])
    print(f'{args.split}: {len(dataset)} masks')
    print(table)


if __name__ == '__main__':
    main()
