"""Pictures of pretext tasks: arrays in, RGB pictures out, and the sheet that holds them."""

from .cluster_picture import cluster_levels, cluster_picture
from .lab_picture import lab_to_rgb
from .nearest_views import nearest_views
from .patch_picture import centre_and_neighbour, patch_pair, patch_place, patch_puzzle, solve_puzzle
from .task_sheet import Panel, task_sheet

__all__ = [
    'Panel',
    'centre_and_neighbour',
    'cluster_levels',
    'cluster_picture',
    'lab_to_rgb',
    'nearest_views',
    'patch_pair',
    'patch_place',
    'patch_puzzle',
    'solve_puzzle',
    'task_sheet',
]
