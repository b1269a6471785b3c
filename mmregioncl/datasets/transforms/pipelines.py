"""Steps of a training pipeline."""
from typing import List

from mmengine.dataset import Compose


def steps_of(pipeline: Compose) -> list:
    """Return all transforms of a pipeline, including those in wrappers."""
    steps = []
    for step in getattr(pipeline, 'transforms', []):
        steps += [step, *steps_of(step)]
    return steps


def is_crop(step) -> bool:
    """Whether a transform or its config is a random crop, of any package."""
    kind = step['type'] if isinstance(step, dict) else type(step)
    names = [kind.split('.')[-1]] if isinstance(
        kind, str) else [base.__name__ for base in kind.__mro__]
    return not {'RandomResizedCrop', 'ContrastiveCrop'}.isdisjoint(names)


def crop_settings(step) -> dict:
    """Settings of a random crop, by the names that this package gives them.

    Args:
        step (BaseTransform or dict): Random crop of any package, or its
            config.

    Returns:
        dict: ``size``, ``scale`` and ``ratio``, as far as they are set.
    """
    ours = ('size', 'scale', 'ratio')
    given = step if isinstance(step, dict) else vars(step)
    theirs = ours if 'size' in given else (  # or MMPretrain's
        'scale', 'crop_ratio_range', 'aspect_ratio_range')
    return {
        name: given[key]
        for name, key in zip(ours, theirs) if key in given
    }


def loading_steps(pipeline: Compose) -> List:
    """Return the steps before the random crop.

    Raises:
        ValueError: If one of them is random, since crop boxes belong to the
            image as loaded.
    """
    steps = []
    for step in pipeline.transforms:
        if any(is_crop(part) for part in (step, *steps_of(step))):
            break
        name = type(step).__name__
        if name.startswith('Random'):
            raise ValueError(f'{name} comes before the crop: move it behind, '
                             'as crop boxes belong to the image as loaded')
        steps.append(step)
    return steps
