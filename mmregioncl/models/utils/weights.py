from typing import Any, Dict, List

import torch
from torch import Tensor, nn


def same_form(found: Any, wanted: Any) -> bool:
    """Whether nested dicts and lists have the same keys, types and shapes.

    Tensors may have another precision.
    """
    if isinstance(wanted, dict):
        return isinstance(
            found, dict) and found.keys() == wanted.keys() and all(
                same_form(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(
            map(same_form, found, wanted))
    if torch.is_tensor(wanted):
        return (torch.is_tensor(found) and found.shape == wanted.shape
                and found.is_floating_point() == wanted.is_floating_point())
    return type(found) is type(wanted)


def faults_of(wanted: Dict[str, Tensor],
              weights: Dict[str, Tensor]) -> Dict[str, List[str]]:
    """Group names that do not fit: missing, unexpected, misshapen.

    Args:
        wanted (dict[str, Tensor]): Of a model.
        weights (dict[str, Tensor]): Of a checkpoint.

    Returns:
        dict[str, list[str]]: Sorted; empty if the weights fit.
    """
    both = wanted.keys() & weights.keys()
    faults = dict(
        missing=wanted.keys() - weights.keys(),
        unexpected=weights.keys() - wanted.keys(),
        misshapen={n
                   for n in both if wanted[n].shape != weights[n].shape})
    return {fault: sorted(names) for fault, names in faults.items() if names}


def count_fitting(wanted: Dict[str, Tensor], weights: Dict[str,
                                                           Tensor]) -> int:
    """Count the weights of a model that a checkpoint has."""
    weights = without_module(weights)
    faults = faults_of(wanted, weights)
    return len(wanted) - sum(
        len(faults.get(fault, ())) for fault in ('missing', 'misshapen'))


def without_module(weights: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Remove the prefix of DistributedDataParallel from names."""
    return {name.removeprefix('module.'): weights[name] for name in weights}


def check_weights(model: nn.Module, weights: dict) -> dict:
    """Check that weights fit a model by name and shape.

    Args:
        model (nn.Module): The model.
        weights (dict[str, Tensor]): A state dict; names may begin with
            ``module.``, as DistributedDataParallel writes them.

    Returns:
        dict[str, Tensor]: The weights by their names in the model.

    Raises:
        ValueError: If a weight is missing, unexpected, or of another shape.
    """
    weights = without_module(weights)
    wanted = model.state_dict()
    faults = faults_of(wanted, weights)
    if faults:
        counts = ', '.join(f'{len(names)} {fault} (such as {names[0]})'
                           for fault, names in faults.items())
        raise ValueError(
            f'the checkpoint does not fit {type(model).__name__}: of '
            f'{len(wanted)} weights {counts}; use the config that it was '
            'trained with, or set strict_load=False of GuardHook to load '
            'what fits')
    return weights
