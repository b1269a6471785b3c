"""What a step asks of the device."""
from typing import Callable, Dict

from torch.profiler import profile

# Each of these hands a value of the device to the host, which waits for it.
WAITS = {
    'aten::item', 'aten::_local_scalar_dense', 'aten::is_nonzero',
    'aten::nonzero', 'aten::equal', 'aten::masked_select'
}


def operators(step: Callable) -> Dict[str, int]:
    """How often a step calls each operator."""
    with profile() as record:
        step()
    return {event.key: event.count for event in record.key_averages()}
