"""Puzzles of nine pieces: which permutation shuffled them (S0, section 3.2.3)."""

from pathlib import Path

from mmssl.registry import TRANSFORMS

from .patch_target import PatchTarget
from .permutations import load_permutations
from .sample_generator import sample_generator


@TRANSFORMS.register_module()
class JigsawTarget(PatchTarget):
    """Shuffle nine patches of an image by a random permutation of a set, whose number becomes its class.

    Source: S0, section 3.2.3; M. Noroozi and P. Favaro, "Unsupervised Learning of Visual Representations by Solving
    Jigsaw Puzzles", ECCV 2016. Mirroring and shifts stand before it; see :class:`PatchTarget` for the random region.
    ``mmssl.PatchDataPreprocessor`` normalises the patches and ``mmssl.PretextClsHead`` reads them.

    Required keys: ``img`` (H, W, 3) uint8 BGR. Replaced: ``img`` (9, 3, patch_size, patch_size) uint8 BGR, and
    ``img_shape``. Added: ``permutation`` (9,) int64, patch i is the one of cell ``permutation[i]`` (row-major), and
    ``gt_label``, the number of the permutation in its file, from 0.

    Args:
        permutations: number of permutations of a file that comes with mmssl (100 or 1000), or the path of a file that
            ``tools/make_permutations.py`` wrote.
        num_permutations: how many a file of ``permutations`` must have, as the head's ``num_classes``; None for any.
        **kwargs: as :class:`PatchTarget`: ``grid_size``, ``patch_size``, ``patch_transforms``, ``seed``.

    Raises:
        DataNotFoundError: the file does not exist.
        DataError: a line of it is no permutation of nine, stands twice, or there are more or fewer than expected.
    """

    def __init__(self, *, permutations: int | str | Path = 100, num_permutations: int | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.permutations = load_permutations(permutations, count=num_permutations)

    def transform(self, results: dict) -> dict:
        """Draw a permutation and shuffle the patches of ``results['img']``."""
        generator = sample_generator(self.seed, results)
        label = int(generator.integers(len(self.permutations)))
        permutation = self.permutations[label]
        self.make_patches(results, permutation.tolist(), generator)
        results['permutation'] = permutation.copy()
        results['gt_label'] = label
        return results

    def __repr__(self) -> str:
        return f'{super().__repr__()[:-1]}, permutations={len(self.permutations)})'
