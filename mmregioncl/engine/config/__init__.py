"""Read and check configs, and apply the arguments of the tools."""
from .data import check_data
from .load import (check_amp, checkpoint_name, enable_scaled_lr, load_config,
                   read_config, set_amp, set_pretrained)
from .read import read_file
from .values import check_backends

__all__ = [
    'check_amp', 'check_backends', 'check_data', 'checkpoint_name',
    'enable_scaled_lr', 'load_config', 'read_config', 'read_file', 'set_amp',
    'set_pretrained'
]
