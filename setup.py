"""Builds mmssl as a plugin of OpenMMLab: the package, and its recipes and tools in ``mmssl/.mim``.

A wheel holds copies of ``configs``, ``tools`` and ``model-index.yml``, made in the build folder, never in
the source tree. An editable install gets relative links to them, so that an edit is seen at once.
"""

import re
import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MIM_ENTRIES = ('configs', 'tools', 'model-index.yml')
# These prepare a checkout of the repository; an installed package has nothing for them to prepare.
CHECKOUT_ONLY = ('setup_env.sh', 'setup_mmcv.sh', 'run_tests.sh', 'quickstart.sh', 'quickstart.py', 'check_env.py')


class BuildWithMim(build_py):
    """Adds ``.mim`` to what the host packages' tools expect of a plugin."""

    def run(self):
        """Builds the package; an editable install only links ``.mim`` in the source tree."""
        if self.editable_mode:
            super().run()
            link_mim(ROOT / 'mmssl' / '.mim')
            return
        built = Path(self.build_lib) / 'mmssl'
        # A file that an earlier build left there and the source has lost would be packaged again.
        shutil.rmtree(built, ignore_errors=True)
        super().run()
        copy_mim(built / '.mim')

    def get_outputs(self, include_bytecode=1):
        """Lists the built files with those of ``.mim``."""
        mim = Path(self.build_lib) / 'mmssl' / '.mim'
        outputs = super().get_outputs(include_bytecode)
        return outputs + [str(path) for path in sorted(mim.rglob('*')) if path.is_file()]


def copy_mim(mim):
    """Copies the recipes and tools to the folder ``mim``, without caches and scripts of the checkout."""
    mim.mkdir(parents=True)
    ignore = shutil.ignore_patterns('__pycache__', '*.pyc', '.*', *CHECKOUT_ONLY)
    for name in MIM_ENTRIES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, mim / name, ignore=ignore)
        else:
            shutil.copy2(source, mim / name)


def link_mim(mim):
    """Links the recipes and tools into the folder ``mim``, by relative links that survive a move."""
    if mim.is_symlink():
        mim.unlink()
    elif mim.is_dir():
        shutil.rmtree(mim)
    mim.mkdir()
    for name in MIM_ENTRIES:
        (mim / name).symlink_to(Path('..') / '..' / name)


def read_version():
    """Reads ``__version__`` without importing the package."""
    return re.search(r"^__version__ = '(.+)'$", (ROOT / 'mmssl' / 'version.py').read_text(), re.M)[1]


def read_host(module):
    """Gives the requirement of a host package as published upstream, such as ``mmdet>=3.3.0,<4.0``."""
    hosts = runpy.run_path(str(ROOT / 'mmssl' / 'host_versions.py'))['HOSTS']
    name, versions = next(iter(hosts[module].ranges.items()))
    return name + versions


# Why the OpenMMLab packages are extras and not install_requires: the onedl-* forks provide the same import
# names under other distribution names, and a hard requirement would make pip put upstream's files over
# theirs in the same folders. And pip builds mmcv in isolation, where it sees no torch and silently leaves
# out the operators. `import mmssl` checks what is there, whoever made it, and names the command to run.
# cv2 comes with mmengine, under the name that fits the machine (opencv-python or opencv-python-headless).
MIM = [read_host(name) for name in ('mmengine', 'mmcv', 'mmseg', 'mmpretrain')] + ['torchvision>=0.21']
EXTRAS = {
    'mim': MIM,
    'mmdet': [read_host('mmdet')],
    'tests': ['pytest>=8.0', 'pytest-xdist>=3.0', 'scikit-image>=0.25'],
}
EXTRAS['all'] = EXTRAS['mim'] + EXTRAS['mmdet']

setup(
    name='mmssl',
    version=read_version(),
    description='Label-efficient dense prediction on OpenMMLab 2.x: self-supervised, semi-supervised, pruned',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='The mmssl authors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='computer vision, semantic segmentation, self-supervised learning, semi-supervised learning',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    packages=find_packages(include=['mmssl', 'mmssl.*']),
    include_package_data=False,
    package_data={'mmssl.datasets': ['permutations/*.txt']},
    cmdclass={'build_py': BuildWithMim},
    python_requires='>=3.10,<3.13',
    # Ranges that the code supports; the tested set stands in requirements/.
    install_requires=[
        read_host('torch'),
        'numpy>=1.24',
        'matplotlib>=3.7',
        'packaging>=22.0',
        'rich>=13.0',
        'safetensors>=0.4',
        'scipy>=1.10',
        'tqdm>=4.60',
        'ftfy>=6.1',  # mmsegmentation imports these two and does not declare them
        'regex>=2023.8.8',
        'setuptools<82',  # mmengine 0.10.7 needs pkg_resources at run time, which setuptools 82 removed
    ],
    extras_require=EXTRAS,
    zip_safe=False,
)
