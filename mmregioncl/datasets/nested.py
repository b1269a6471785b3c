from typing import Any, Iterator, List, Tuple


def innermost(dataset) -> Iterator:
    """Yield the data sets inside wrappers such as ConcatDataset.

    Args:
        dataset (BaseDataset or ConfigDict): A data set, or the config of one.
    """
    for _, part in innermost_items('', dataset):
        yield part


def innermost_items(key: str, dataset) -> Iterator[Tuple[str, Any]]:
    """Yield the data sets inside wrappers, with their dotted keys.

    Args:
        key (str): Dotted key of `dataset`, such as 'train_dataloader.dataset'.
        dataset (BaseDataset or ConfigDict): A data set, or the config of one.

    Yields:
        tuple[str, BaseDataset or ConfigDict]: For example
        'train_dataloader.dataset.datasets.0' and the first of two data sets.
    """
    if hasattr(dataset, 'datasets'):
        for number, part in enumerate(dataset.datasets):
            yield from innermost_items(f'{key}.datasets.{number}', part)
    elif hasattr(dataset, 'dataset'):
        yield from innermost_items(f'{key}.dataset', dataset.dataset)
    else:
        yield key, dataset


def type_name(part: dict) -> str:
    """Name of the class that a config builds, without its scope.

    Args:
        part (dict): Config whose ``type`` is a class or its name, if it has
            one.

    Returns:
        str: Such as 'MoCo' of 'mmselfsup.MoCo'; '' without a type.
    """
    kind = part.get('type') or ''
    kind = getattr(kind, 'func', kind)  # of a partial
    return str(getattr(kind, '__name__', kind)).rpartition('.')[2]


def typed_dicts(part) -> Iterator[dict]:
    """Yield all dicts with a type inside nested dicts and lists."""
    if isinstance(part, dict):
        if isinstance(part.get('type'), (str, type)):
            yield part
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inner in part:
            yield from typed_dicts(inner)


def dotted_items(part, key: str = '') -> Iterator[Tuple[str, Any]]:
    """Yield all dotted keys and values of nested dicts and lists.

    Args:
        part (dict, list or tuple): Such as a config.
        key (str): Dotted key of `part` itself. Defaults to '', a whole config.
    """
    if isinstance(part, (list, tuple)):
        part = dict(enumerate(part))
    for name, value in part.items() if isinstance(part, dict) else ():
        inner = f'{key}.{name}' if key else f'{name}'
        yield inner, value
        yield from dotted_items(value, inner)


def places_inside(part, name: str) -> List[str]:
    """Dotted keys below a part at which a setting of this name lies.

    Such as 'optimizer.lr' for 'lr' of an optimizer wrapper.
    """
    return [
        place for place, _ in dotted_items(part) if place.endswith(f'.{name}')
    ]
