"""Check a checkpoint when it is loaded."""
from mmregioncl.models.utils import check_weights
from mmregioncl.models.utils.modules import unwrap
from ..storage import loaded_from


def check_checkpoint(runner, checkpoint: dict, strict: bool = True) -> None:
    """Check that a loaded checkpoint fits the run.

    Args:
        runner (Runner): The run.
        checkpoint (dict): The checkpoint.
        strict (bool): Whether it has to contain exactly the weights of the
            model. Defaults to True.

    Raises:
        ValueError: If a weight is missing, unexpected or has another shape, or
            if a run is resumed from an incomplete checkpoint.
    """
    if runner._resume:
        check_whole(runner, checkpoint)
    if strict:
        check_weights(
            unwrap(runner.model), checkpoint.get('state_dict', checkpoint))


def check_whole(runner, checkpoint: dict) -> None:
    """Check that a run can be resumed from a checkpoint.

    Raises:
        ValueError: If it contains only weights, or is damaged.
    """
    parts = dict(meta=dict, optimizer=dict, message_hub=dict)
    if runner.param_schedulers:
        parts['param_schedulers'] = type(runner.param_schedulers)
    bad = [
        name for name, kind in parts.items()
        if not isinstance(checkpoint.get(name), kind)
    ]
    if not bad:
        meta = checkpoint['meta']
        bad = [
            f'meta.{name}' for name in ('epoch', 'iter')
            if not isinstance(meta.get(name), int) or meta[name] < 0
        ]
    if bad:
        raise ValueError(
            f'cannot resume from {loaded_from(runner)}, which has no '
            f'{" and no ".join(bad)}: start a new run from its weights with '
            'load_from, without --resume')
