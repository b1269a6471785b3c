"""Give a config of mmselfsup this package's transforms, in one line.

``custom_imports = dict(imports=['mmregioncl.fast_transforms'])`` registers
them under the names that such a config uses, in place of mmselfsup's and
mmcv's. The views are the same, drawn several times faster. Configs of this
package name ``mmregioncl.ColorJitter`` and so on, and do not need the line.
"""
from importlib import import_module

from mmregioncl import host
from mmregioncl.datasets import transforms
from mmregioncl.models.data_preprocessors import SelfSupDataPreprocessor

if host.NAME != 'mmselfsup':  # MMEngine hides the text of an ImportError
    raise ValueError(
        'mmregioncl.fast_transforms is for configs of mmselfsup: remove it '
        "from custom_imports, and name this package's transforms, such as "
        'mmregioncl.ColorJitter')
registry = import_module('mmselfsup.registry')
# The names of mmselfsup have to be there before they are replaced.
registry.TRANSFORMS.import_from_location()
registry.MODELS.import_from_location()

REPLACED = ('mmselfsup.', 'mmregioncl.')  # not the class of a user
for name in transforms.FAST:
    held = registry.TRANSFORMS.module_dict.get(name)
    if held is None or held.__module__.startswith(REPLACED):
        registry.TRANSFORMS.register_module(
            module=getattr(transforms, name), force=True)
registry.MODELS.register_module(module=SelfSupDataPreprocessor, force=True)
