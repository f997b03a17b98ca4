from mmssl.datasets.audit.coco_file import coco_findings
from mmssl.datasets.audit.finding import ERROR, WARNING, Finding
from mmssl.datasets.audit.listing import listed_samples, path_findings
from mmssl.datasets.audit.sample_check import SampleCheck, check_sample, sample_check_of

__all__ = [
    'ERROR',
    'WARNING',
    'Finding',
    'SampleCheck',
    'check_sample',
    'coco_findings',
    'listed_samples',
    'path_findings',
    'sample_check_of',
]
