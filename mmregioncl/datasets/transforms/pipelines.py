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
    """The steps that come before an image is cropped at random."""
    steps = []
    for step in pipeline.transforms:
        if any(
                isinstance(part, RandomResizedCrop)
                for part in (step, *steps_of(step))):
            break
        steps.append(step)
    return steps
