from mmssl.datasets.rendering.canvas import COUNTABLE, IGNORED
from mmssl.datasets.rendering.painter import SMALLEST, StreetScene, check_request, render_street_scene
from mmssl.datasets.rendering.styles import STYLES

__all__ = [
    'COUNTABLE',
    'IGNORED',
    'SMALLEST',
    'STYLES',
    'StreetScene',
    'check_request',
    'render_street_scene',
]
