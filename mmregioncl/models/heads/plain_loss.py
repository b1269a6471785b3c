from typing import Sequence

from torch import nn


def check_plain(head: nn.Module,
                loss: dict,
                temperature: float,
                allowed: Sequence[str] = ()) -> None:
    """Refuse settings of a contrastive head that region losses do not support.

    Args:
        head (nn.Module): The head, for the message.
        loss (dict): Config of its loss, a cross entropy.
        temperature (float): Temperature.
        allowed (Sequence[str]): Settings that the loss may have.

    Raises:
        ValueError: If the loss is not a plain cross entropy, or if the
            temperature is not positive.
    """
    name = type(head).__name__
    if not 0 < temperature < float('inf'):
        raise ValueError(
            f'temperature={temperature} of {name} has to be positive')
    kind = loss['type']
    kind = kind if isinstance(kind, str) else kind.__name__
    others = loss.keys() - {'type', '_scope_', *allowed}
    weight = loss.get('loss_weight', 1.0)
    if not 0 < weight < float('inf'):
        raise ValueError(f'loss_weight={weight} of the loss of {name} has to '
                         'be positive')
    if kind.split('.')[-1] != 'CrossEntropyLoss' or others:
        raise ValueError(
            f'{name} computes a plain mean cross entropy: remove loss={loss} '
            'from it, and weigh the region loss by region_weight of the '
            'algorithm')
