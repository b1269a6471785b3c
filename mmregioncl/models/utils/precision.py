from contextlib import nullcontext
from typing import ContextManager

import torch


def no_autocast(device: torch.device) -> ContextManager:
    """Compute in the precision of the tensors, even under autocast.

    Args:
        device (torch.device): Of the tensors. It need not support autocast.
    """
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
