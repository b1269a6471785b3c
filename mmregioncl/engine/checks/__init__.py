"""Checks before training that raise an error or log a warning."""
from .batches import (check_batch, check_batches, check_epoch, check_queue,
                      check_steps)
from .checkpoint import check_checkpoint, check_whole
from .images import check_depth, check_images, check_training_images
from .resources import (check_disk, check_memory, check_shared_memory,
                        check_workers)
from .schedules import (check_kept_checkpoints, check_metrics, check_schedule,
                        check_updates)
from .settings import (check_averages, check_averaging, check_clipping,
                       check_compile, check_env, check_hooks, check_logged,
                       check_loops, check_modules, check_paramwise,
                       check_predictor, check_recomputed, check_scaled_lr)
from .views import (check_bands, check_channels, check_evaluated,
                    check_first_step, check_transforms)

# Checks of a run, in this order
CHECKS = (check_training_images, check_batches, check_transforms, check_bands,
          check_depth, check_workers, check_queue, check_schedule,
          check_updates, check_kept_checkpoints, check_metrics, check_env,
          check_loops, check_hooks, check_clipping, check_paramwise,
          check_predictor, check_scaled_lr, check_recomputed, check_averaging)

__all__ = [
    'CHECKS', 'check_averages', 'check_batch', 'check_channels',
    'check_checkpoint', 'check_compile', 'check_disk', 'check_epoch',
    'check_evaluated', 'check_first_step', 'check_images', 'check_logged',
    'check_memory', 'check_metrics', 'check_modules', 'check_shared_memory',
    'check_steps', 'check_whole'
]
