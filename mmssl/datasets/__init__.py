from mmssl.datasets.aspect_ratio_batches import AspectRatioBatchSampler
from mmssl.datasets.camvid import CamVidDataset
from mmssl.datasets.folder import FolderDataset
from mmssl.datasets.gta5 import GTA5Dataset
from mmssl.datasets.infinite_sampler import InfiniteSampler
from mmssl.datasets.multi_task import MultiTaskSegDataset
from mmssl.datasets.multi_task_sampler import MultiTaskInfiniteSampler
from mmssl.datasets.paired import PairedDataset
from mmssl.datasets.paired_sampler import PairedInfiniteSampler
from mmssl.datasets.skip_broken import SkipBrokenImages
from mmssl.datasets.street_scenes import StreetScenesDataset
from mmssl.datasets.synthia import SynthiaDataset
from mmssl.datasets.unlabeled import UnlabeledDataset

__all__ = [
    'AspectRatioBatchSampler',
    'CamVidDataset',
    'FolderDataset',
    'GTA5Dataset',
    'InfiniteSampler',
    'MultiTaskSegDataset',
    'MultiTaskInfiniteSampler',
    'PairedDataset',
    'PairedInfiniteSampler',
    'SkipBrokenImages',
    'StreetScenesDataset',
    'SynthiaDataset',
    'UnlabeledDataset',
]
