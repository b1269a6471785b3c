from typing import Sequence

from torch import nn

from mmregioncl.validation import check_number


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
    check_number('temperature', temperature, name, positive=True)
    check_number(
        'loss_weight',
        loss.get('loss_weight', 1.0),
        f'the loss of {name}',
        positive=True)
    kind = getattr(loss['type'], '__name__', loss['type'])
    others = loss.keys() - {'type', '_scope_', *allowed}
    if kind.split('.')[-1] != 'CrossEntropyLoss' or others:
        raise ValueError(
            f'{name} computes a plain mean cross entropy: remove loss={loss} '
            'from it, and set the weight of the region loss with '
            'region_weight of the algorithm')
