"""Steps of a training pipeline."""
from typing import List

from mmengine.dataset import Compose
from mmselfsup.datasets.transforms import RandomResizedCrop


def steps_of(pipeline: Compose) -> list:
    """Return all transforms of a pipeline, including those in wrappers."""
    steps = []
    for step in getattr(pipeline, 'transforms', []):
        steps += [step, *steps_of(step)]
    return steps


def loading_steps(pipeline: Compose) -> List:
    """Return the steps before the random crop.

    Raises:
        ValueError: If one of them is random, since crop boxes belong to the
            image as loaded.
    """
    steps = []
    for step in pipeline.transforms:
        if any(
                isinstance(part, RandomResizedCrop)
                for part in (step, *steps_of(step))):
            break
        name = type(step).__name__
        if name.startswith('Random'):
            raise ValueError(f'{name} comes before the crop: move it behind, '
                             'as crop boxes belong to the image as loaded')
        steps.append(step)
    return steps
