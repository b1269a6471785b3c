"""Steps of a training pipeline."""
from typing import List, Optional

from mmengine.dataset import Compose

from .augmentations import check_colors


def steps_of(pipeline: Compose) -> list:
    """Return all transforms of a pipeline, including those in wrappers."""
    steps = []
    for step in getattr(pipeline, 'transforms', []):
        steps += [step, *steps_of(step)]
    return steps


def kinds_of(step) -> List[str]:
    """Names of the classes of a transform or its config, without a scope."""
    kind = step['type'] if isinstance(step, dict) else type(step)
    if isinstance(kind, str):
        return [kind.split('.')[-1]]
    return [base.__name__ for base in kind.__mro__]


def is_crop(step) -> bool:
    """Whether a transform or its config is a random crop, of any package."""
    return not {'RandomResizedCrop', 'ContrastiveCrop'}.isdisjoint(
        kinds_of(step))


def is_loading(step) -> bool:
    """Whether a transform or its config loads images, of any package."""
    return any(kind.startswith('LoadImage') for kind in kinds_of(step))


def crop_settings(step) -> dict:
    """Settings of a random crop, by this package's names.

    Args:
        step (BaseTransform or dict): Random crop of any package, or its
            config.

    Returns:
        dict: ``size``, ``scale`` and ``ratio``, if they are set.
    """
    ours = ('size', 'scale', 'ratio')
    given = step if isinstance(step, dict) else vars(step)
    theirs = ours if 'size' in given else (  # or MMPretrain's
        'scale', 'crop_ratio_range', 'aspect_ratio_range')
    return {
        name: given[key]
        for name, key in zip(ours, theirs) if key in given
    }


def channels_of(pipeline: Compose) -> Optional[int]:
    """Channels of the images that a pipeline loads.

    None if ``LoadImage`` does not load them, unless they are gray.
    """
    for step in steps_of(pipeline):
        if is_loading(step):
            if hasattr(step, 'channels'):
                return step.channels
            if getattr(step, 'color_type', None) == 'grayscale':
                return 1
    return None


def check_color_steps(pipeline: Compose) -> None:
    """Check that a pipeline changes no colors of images that have none.

    Raises:
        ValueError: If it loads images that do not have three channels, and a
            step needs colors.
    """
    channels = channels_of(pipeline)
    for step in steps_of(pipeline) if channels else []:
        if type(step).__name__ in ('ColorJitter', 'RandomGrayscale'):
            check_colors(step, channels)


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
            raise ValueError(
                f'{name} comes before the crop: move it after it, '
                'since crop boxes belong to the image as loaded')
        steps.append(step)
    return steps
