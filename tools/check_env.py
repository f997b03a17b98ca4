"""Prints a table of the packages that mmssl stands on: the version found, the tested one, whether it imports.

Example:
    python tools/check_env.py
"""

import argparse
import importlib
import platform
import runpy
import sys
import warnings
from pathlib import Path

# Read from the file: `import mmssl` stops at the first package that is missing, this table shows all.
HOST_VERSIONS = runpy.run_path(str(Path(__file__).resolve().parents[1] / 'mmssl' / 'host_versions.py'))
# What an incomplete installation fails at: mmcv without operators, torchvision of another torch.
DEEPER = {
    'mmcv': 'mmcv.ops',
    'torchvision': 'torchvision.ops',
    'mmseg': 'mmseg.models',
    'mmpretrain': 'mmpretrain.models',
}


def check(module: str) -> tuple[str, str]:
    """Imports a package.

    Returns:
        Its version ('-' if it does not import), and the error in one line ('' if there is none).
    """
    try:
        package = importlib.import_module(module)
        importlib.import_module(DEEPER.get(module, module))
    except Exception as error:  # whatever an import raises belongs into the table
        return '-', f'{type(error).__name__}: {" ".join(str(error).split())}'
    return getattr(package, '__version__', '-'), ''


def main() -> int:
    """Prints the table.

    Returns:
        Exit status: 1 if a package is missing, does not import or is outside the supported range.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.parse_args()
    warnings.simplefilter('ignore')
    hosts, find_problem = HOST_VERSIONS['HOSTS'], HOST_VERSIONS['find_problem']
    modules = ['torch', 'torchvision', 'numpy', 'cv2', *(name for name in hosts if name != 'torch'), 'mmssl']
    failed = False
    print(f'{"python":<12}{platform.python_version():<16}')
    for module in modules:
        version, error = check(module)
        problem = error or (find_problem(hosts[module]) if module in hosts else '') or ''
        tested = f'tested: {hosts[module].tested}' if module in hosts else ''
        print(f'{module:<12}{version:<16}{problem or tested}'.rstrip())
        failed |= bool(problem)
    return int(failed)


if __name__ == '__main__':
    sys.exit(main())
