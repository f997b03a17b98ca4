from mmssl.datasets.camvid import CamVidDataset
from mmssl.datasets.folder import FolderDataset
from mmssl.datasets.street_scenes import StreetScenesDataset
from mmssl.datasets.unlabeled import UnlabeledDataset

__all__ = ['CamVidDataset', 'FolderDataset', 'StreetScenesDataset', 'UnlabeledDataset']
