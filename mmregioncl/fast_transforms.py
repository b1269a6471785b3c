"""Give a config of mmselfsup this package's transforms, in one line.

``custom_imports = dict(imports=['mmregioncl.fast_transforms'])`` registers
them under the names that such a config uses, in place of mmselfsup's and
mmcv's. The views are the same, drawn several times faster. Configs of this
package name ``mmregioncl.ColorJitter`` and so on, and do not need the line.
"""
from mmselfsup import registry

from mmregioncl.datasets.transforms import augmentations
from mmregioncl.models.utils import SelfSupDataPreprocessor

# The names of mmselfsup have to be there before they are replaced.
registry.TRANSFORMS.import_from_location()
registry.MODELS.import_from_location()

for name in augmentations.__all__:
    fast = getattr(augmentations, name)
    # A class of the user's that was registered under the name stays.
    if issubclass(fast, registry.TRANSFORMS.module_dict.get(name, object)):
        registry.TRANSFORMS.register_module(module=fast, force=True)
registry.MODELS.register_module(module=SelfSupDataPreprocessor, force=True)
