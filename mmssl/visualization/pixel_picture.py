"""What pixel-level pretraining makes of an image: positive pairs, erased views, features, similarity of a pixel."""

from collections.abc import Sequence

import numpy as np

from .feature_colours import feature_colours
from .pixel_pairs import draw_pairs, side_by_side
from .pixel_similarity import cells_behind, draw_similarity, hatch, heat_entries
from .pretext_pictures import Panel, task_sheet
from .pretext_pictures.task_sheet import fit_picture

VIEWS = 2


def pixel_picture(
    views: Sequence[np.ndarray],
    erased: Sequence[np.ndarray],
    affine: np.ndarray,
    raw: Sequence[np.ndarray],
    online: Sequence[np.ndarray],
    target: Sequence[np.ndarray],
    valid: Sequence[np.ndarray | None],
    pairs: np.ndarray,
    *,
    names: Sequence[str],
    pixel: tuple[int, int] | None = None,
    height: int = 224,
    heading: str = '',
) -> np.ndarray:
    """Draw a row an image.

    Both views with some of their positive pairs; the erased views, where any is erased; the online features of each
    view in one set of colours (:func:`feature_colours`), of a warped view before and after the way back; a cell of view
    1 and the cosine of its online feature to the target features of view 2 (:func:`draw_similarity`).

    Args:
        views: two (B, H, W, 3) uint8 RGB, as the target encoder sees them, flipped and warped.
        erased: two of the same shape, as the online encoder sees them.
        affine: (B, 2, 2, 3), normalised coordinates of the warped view to those of the view before.
        raw: two (B, C, h, w), float: y in the frame of the view as it is shown.
        online: two (B, C, h, w), float: y on its way back from the warp.
        target: two (B, C, h, w), float: x' on its way back.
        valid: two (B, h, w), bool, the cells of ``online`` and ``target`` with image behind them; None is everywhere.
        pairs: (B, h * w, h * w), bool, rows are cells of view 1, columns those of view 2.
        names: B captions.
        pixel: row and column of the cell of view 1; None takes one near its centre that has a positive pair.
        height: of a panel in pixels.
        heading: line at the top, none if empty.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: other numbers of images, none at all, or no such cell.
    """
    arrays = [*views, *erased, affine, *raw, *online, *target, *(one for one in valid if one is not None), pairs, names]
    counts = {len(one) for one in arrays}
    if counts in ({0}, set()) or len(counts) > 1:
        raise ValueError(f'pixel_picture: {sorted(counts)} images found, one number of at least 1 expected')
    size = online[0].shape[2:]
    valid = [np.ones((len(names), *size), dtype=bool) if one is None else one for one in valid]
    warped = [bool((affine[:, view] != np.eye(2, 3)).any()) for view in range(VIEWS)]
    width = max(1, round(height * views[0].shape[2] / views[0].shape[1]))
    columns, rows = [], []
    for index, name in enumerate(names):
        first, second = (fit_picture(view[index], height, width) for view in views)
        picture, caption = draw_pairs(first, second, pairs[index], size, affine[index])
        row = {'view 1 and view 2, positive pairs': Panel(picture, f'{name}: {caption}')}
        if any(not np.array_equal(*both) for both in zip(views, erased, strict=True)):
            shown = side_by_side(*(fit_picture(view[index], height, width) for view in erased))
            row['what the online encoder sees'] = Panel(shown, _erased_shares(views, erased, index))
        maps = {}
        for view in range(VIEWS):
            seen = cells_behind(*size, size, affine[index, view]) >= 0
            if warped[view]:
                maps[f'features {view + 1}, warped'] = raw[view][index], seen
            title = f'features {view + 1}' + (', warped back' if warped[view] else '')
            maps[title] = online[view][index], valid[view][index]
        row |= _feature_panels(maps, height, width)
        similarity = draw_similarity(
            first,
            second,
            online[0][index],
            target[1][index],
            pairs[index],
            affine[index],
            valid[1][index],
            pixel,
        )
        row['cell of view 1, its similarity to view 2'] = Panel(*similarity)
        columns = list(row)
        rows.append(list(row.values()))
    return task_sheet([heading] if heading else [], columns, rows, height=height, entries=heat_entries())


def _feature_panels(maps: dict[str, tuple[np.ndarray, np.ndarray]], height: int, width: int) -> dict[str, Panel]:
    """A panel a map; cells without image behind them are hatched."""
    pictures, share = feature_colours(*zip(*maps.values(), strict=True))
    panels = {}
    for (title, (_, known)), picture in zip(maps.items(), pictures, strict=True):
        cells = cells_behind(height, width, known.shape, np.eye(2, 3))
        enlarged = hatch(picture.reshape(-1, 3)[cells], ~known.ravel()[cells])
        caption = '' if known.all() else f'{known.sum()} of {known.size} cells valid'
        panels[title] = Panel(enlarged, caption if panels else f'3 components: {share:.0%} of variance')
    return panels


def _erased_shares(views: Sequence[np.ndarray], erased: Sequence[np.ndarray], index: int) -> str:
    shares = [(one[index] != other[index]).any(-1).mean() for one, other in zip(views, erased, strict=True)]
    return f'erased: {shares[0]:.0%} and {shares[1]:.0%}'
