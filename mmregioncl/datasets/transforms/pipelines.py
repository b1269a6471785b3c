"""What a training pipeline is made of."""
from typing import List

from mmengine.dataset import Compose
from mmselfsup.datasets.transforms import RandomResizedCrop


def steps_of(pipeline: Compose) -> list:
    """All transforms of a pipeline, those inside wrappers too."""
    steps = []
    for step in getattr(pipeline, 'transforms', []):
        steps += [step, *steps_of(step)]
    return steps


def loading_steps(pipeline: Compose) -> List:
    """The steps that come before an image is cropped at random.

    Raises:
        ValueError: If one of them is random itself, so that a box found in
            one image would not fit the next.
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
