"""Patches that let the OpenMMLab releases of 2023 run on current PyTorch.

One module per cause. Its docstring says what is wrong upstream, and its
``patch()`` fixes only that.
"""
from . import (adjust_hue, annotation_files, checkpoint_files,
               checkpoint_globals, collate_scope, cpu_launch,
               deformable_attention, loader_settings, mmcv_operators,
               package_utils, runner_registries, slow_imports, subset_memo)

PATCHES = (slow_imports, mmcv_operators, deformable_attention, adjust_hue,
           annotation_files, checkpoint_files, checkpoint_globals,
           loader_settings, collate_scope, cpu_launch, package_utils,
           runner_registries, subset_memo)


def apply() -> None:
    """Apply all patches that the installed stack needs.

    Calling it again has no effect.
    """
    for module in PATCHES:
        module.patch()
