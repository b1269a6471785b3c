"""Checks before training that raise an error or log a warning."""
from .batches import (check_batch, check_batches, check_epoch, check_queue,
                      check_steps)
from .checkpoint import check_checkpoint, check_whole
from .images import check_depth, check_images
from .resources import (check_disk, check_memory, check_shared_memory,
                        check_workers)
from .schedules import (check_kept_checkpoints, check_metrics, check_schedule,
                        check_updates)
from .settings import check_logged, check_settings
from .views import (check_bands, check_channels, check_evaluated,
                    check_first_step, check_transforms)

__all__ = [
    'check_bands', 'check_batch', 'check_batches', 'check_channels',
    'check_checkpoint', 'check_depth', 'check_disk', 'check_epoch',
    'check_evaluated', 'check_first_step', 'check_images',
    'check_kept_checkpoints', 'check_logged', 'check_memory', 'check_metrics',
    'check_queue', 'check_schedule', 'check_settings', 'check_shared_memory',
    'check_steps', 'check_transforms', 'check_updates', 'check_whole',
    'check_workers'
]
