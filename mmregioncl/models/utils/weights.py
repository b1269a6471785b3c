from torch import nn


def check_weights(model: nn.Module, weights: dict) -> dict:
    """Refuse weights that are not those of a model, by name and shape.

    Args:
        model (nn.Module): The model.
        weights (dict[str, Tensor]): A state dict; names may begin with
            ``module.``, as DistributedDataParallel writes them.

    Returns:
        dict[str, Tensor]: The weights by their names in the model.

    Raises:
        ValueError: If a weight is missing, unexpected, or of another shape.
    """
    weights = {name.removeprefix('module.'): weights[name] for name in weights}
    wanted = model.state_dict()
    faults = dict(
        missing=sorted(wanted.keys() - weights.keys()),
        unexpected=sorted(weights.keys() - wanted.keys()),
        misshapen=[
            name for name in wanted
            if name in weights and wanted[name].shape != weights[name].shape
        ])
    if any(faults.values()):
        counts = ', '.join(f'{len(names)} {fault} (such as {names[0]})'
                           for fault, names in faults.items() if names)
        raise ValueError(
            f'the checkpoint does not fit {type(model).__name__}: of '
            f'{len(wanted)} weights {counts}; take the config that it was '
            'trained with, or set strict_load=False of GuardHook to take over '
            'what fits')
    return weights
