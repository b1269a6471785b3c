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
    """Whether a transform is a random crop, of this or another package."""
    return any(base.__name__ == 'RandomResizedCrop'
               for base in type(step).__mro__)


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
