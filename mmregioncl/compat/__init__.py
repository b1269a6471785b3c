"""All it takes to run the OpenMMLab releases of 2023 on today's PyTorch.

One file a cause. Each states the upstream issue, mends only what is broken in
the installed versions, and does nothing where upstream mended it.
"""
from . import (adjust_hue, checkpoint_globals, collate_scope, cpu_launch,
               deformable_attention, package_utils, runner_registries)

CAUSES = (deformable_attention, adjust_hue, checkpoint_globals, collate_scope,
          cpu_launch, package_utils, runner_registries)


def apply() -> None:
    """Mend what is broken in the installed stack; safe to call twice."""
    for cause in CAUSES:
        cause.mend()
