"""Registries of mmssl: children of mmengine's root registries with the scope ``mmssl``.

Configs name our parts with the prefix, ``type='mmssl.ERFNetEncoder'``, and keep the ``default_scope`` of
the host package (mmseg, mmdet or mmpretrain). The root is the parent, never a host package, so that the
prefix resolves from every host. Each registry imports the packages in ``locations`` the first time that a
name is looked up; configs therefore need no ``custom_imports``.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

from mmssl.compat import format_configs_once, load_checkpoints_safely, register_config_package

SCOPE = 'mmssl'

# Whoever resolves a name of ours, through a host's own tools too, also loads weights safely and can name our recipes.
load_checkpoints_safely()
register_config_package()
format_configs_once()

MODELS = Registry('model', parent=MMENGINE_MODELS, scope=SCOPE, locations=['mmssl.models'])
DATASETS = Registry('dataset', parent=MMENGINE_DATASETS, scope=SCOPE, locations=['mmssl.datasets'])
DATA_SAMPLERS = Registry('data sampler', parent=MMENGINE_DATA_SAMPLERS, scope=SCOPE, locations=['mmssl.datasets'])
TRANSFORMS = Registry('transform', parent=MMENGINE_TRANSFORMS, scope=SCOPE, locations=['mmssl.datasets.transforms'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, scope=SCOPE, locations=['mmssl.engine.hooks'])
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, scope=SCOPE, locations=['mmssl.engine.loops'])
METRICS = Registry('metric', parent=MMENGINE_METRICS, scope=SCOPE, locations=['mmssl.evaluation'])
