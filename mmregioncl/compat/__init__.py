"""All it takes to run the OpenMMLab releases of 2023 on today's PyTorch.

One file a cause, which states what is wrong upstream and mends that alone.
"""
from . import (adjust_hue, checkpoint_files, checkpoint_globals, collate_scope,
               cpu_launch, deformable_attention, mmcv_operators, package_utils,
               runner_registries)

CAUSES = (mmcv_operators, deformable_attention, adjust_hue, checkpoint_files,
          checkpoint_globals, collate_scope, cpu_launch, package_utils,
          runner_registries)


def apply() -> None:
    """Mend what is broken in the installed stack; safe to call twice."""
    for cause in CAUSES:
        cause.mend()
