from mmssl.datasets.transforms.loading import LoadImage, LoadSegAnnotations
from mmssl.datasets.transforms.street_scene_loading import LoadStreetScene

__all__ = ['LoadImage', 'LoadSegAnnotations', 'LoadStreetScene']
