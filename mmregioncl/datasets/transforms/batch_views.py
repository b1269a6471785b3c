"""Views of a whole batch of images, made on the device of the batch."""
import math
from typing import Callable, Dict, List, Sequence, Tuple, Union

import torch
from mmcv.transforms import BaseTransform, RandomApply
from mmengine.dataset import Compose
from torch import Tensor

from mmregioncl.randomness import BatchDraws, mix_seeds
from mmregioncl.registry import TRANSFORMS
from . import batch_ops
from .augmentations import (ColorJitter, RandomFlip, RandomGaussianBlur,
                            RandomGrayscale, RandomResizedCrop, RandomSolarize,
                            check_colors, largest_crop)

FLIPS = dict(horizontal=(3, ), vertical=(2, ), diagonal=(2, 3))  # axes


@TRANSFORMS.register_module()
class BatchViews:
    """Make several views of each image of a batch, all images at once.

    It accepts the settings of ``MultiView`` and draws from the same
    distributions, independently for each view of each image. Values are
    rounded in the same places. The random numbers differ: they depend only on
    the seed of the image, the view and the step.

    Args:
        transforms (list[list[dict]]): Pipelines of this package's
            ``RandomResizedCrop``, ``ColorJitter``, ``RandomGrayscale``,
            ``RandomGaussianBlur``, ``RandomSolarize``, ``RandomFlip``, and
            ``RandomApply`` of them. ``ColorJitter`` and ``RandomGrayscale``
            need images of three channels, the others any number.
        num_views (int or list[int]): Number of views of each pipeline.

    Raises:
        ValueError: If a step, or one of its settings, is not supported.
    """

    def __init__(self, transforms: List[List[Union[dict, Callable]]],
                 num_views: Union[int, List[int]]) -> None:
        counts = [num_views] if isinstance(num_views, int) else num_views
        if len(counts) != len(transforms):
            raise ValueError(
                f'num_views={num_views} of BatchViews has to name a number for'
                f' each of the {len(transforms)} pipelines')
        self.num_views = counts
        self.pipelines = [Compose(pipeline) for pipeline in transforms]
        for pipeline in self.pipelines:
            for step in pipeline.transforms:
                check_step(step)

    @torch.no_grad()
    def __call__(self, images: Tensor, seeds: Tensor) -> List[Tensor]:
        """Make the views.

        Args:
            images (Tensor): Shape (N, C, H, W), uint8, BGR.
            seeds (Tensor): A seed for each image, shape (N,), int64.

        Returns:
            list[Tensor]: Views of shape (N, C, h, w), float32, with whole
            numbers from 0 to 255.
        """
        views: List[Tensor] = []
        own_seeds = mix_seeds(seeds, 0, sum(self.num_views))  # (V, N)
        for pipeline, own in zip(self.pipelines,
                                 own_seeds.split(self.num_views)):
            batch = images.float().repeat(len(own), 1, 1, 1)
            draw = BatchDraws(own.flatten())
            for step in pipeline.transforms:
                batch = BATCH_STEPS[type(step)](step, batch, draw)
            views += batch.chunk(len(own))
        return views


def check_step(step: Callable) -> None:
    """Refuse a step that does not work on whole batches.

    Raises:
        ValueError: If the step, or one of its settings, is not supported.
    """
    name, reason = type(step).__name__, None
    if type(step) not in BATCH_STEPS:
        reason = 'of this kind'
    elif isinstance(step, RandomApply):
        for part in step.transforms.transforms:
            check_step(part)
    elif isinstance(step, RandomResizedCrop):
        if step.interpolation not in batch_ops.FILTERS or \
                (step.interpolation, step.backend) == ('bicubic', 'cv2'):
            reason = (f'with interpolation={step.interpolation!r} and backend='
                      f'{step.backend!r}')
    elif isinstance(step, ColorJitter) and step.backend != 'pillow':
        reason = f'with backend={step.backend!r}'
    elif isinstance(step, RandomGrayscale) and (not step.keep_channels
                                                or step.color_format == 'hsv'):
        reason = 'with keep_channels=False or in HSV'
    if reason:
        raise ValueError(
            f'{name} {reason} does not work on whole batches: make the views '
            'in the loader, with MultiView, or change that step')


def apply_some(step: RandomApply, images: Tensor, draw: BatchDraws) -> Tensor:
    """Apply all steps to some images, and none to the others."""
    taken, changed = draw(1)[0] < step.prob, images
    for part in step.transforms.transforms:
        changed = BATCH_STEPS[type(part)](part, changed, draw)
    return choose(taken, changed, images)


def choose(taken: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    """Images that are changed where `taken` (N,), and the others."""
    return torch.where(taken[:, None, None, None], changed, images)


def between(span: Sequence[float], numbers: Tensor) -> Tensor:
    """Numbers in [0, 1) as numbers of a range."""
    low, high = span
    return low + (high - low) * numbers


def crop(step: RandomResizedCrop, images: Tensor, draw: BatchDraws) -> Tensor:
    """Crop and resize."""
    top, left, height, width = draw_crops(images.shape[2:], step, draw)
    return batch_ops.resize_crops(images, (top, left), (height, width),
                                  step.size, step.interpolation,
                                  step.backend == 'pillow')


def draw_crops(shape: Tuple[int, int], step: RandomResizedCrop,
               draw: BatchDraws) -> Tensor:
    """Draw a crop of each image, as ``draw_crop`` does for one.

    All attempts are drawn, and the first one that fits is used.

    Args:
        shape (tuple[int, int]): Height and width of the images in pixels.
        step (RandomResizedCrop): With the ranges.
        draw (BatchDraws): Of N images.

    Returns:
        Tensor: Top, left, height and width in pixels, shape (4, N).
    """
    rows, cols = shape
    areas, aspects = draw(2 * step.max_attempts).chunk(2)  # (attempts, N)
    areas = between(step.scale, areas) * (rows * cols)
    aspects = between([*map(math.log, step.ratio)], aspects).exp()
    widths = (areas * aspects).sqrt().round()
    heights = (areas / aspects).sqrt().round()
    fits = (0 < widths) & (widths <= cols) & (0 < heights) & (heights <= rows)
    found, first = fits.any(0), fits.int().argmax(0, keepdim=True)
    height, width = (sides.gather(0, first)[0].where(found, most)
                     for sides, most in zip((
                         heights, widths), largest_crop(shape, step.ratio)))
    rest = torch.stack((rows - height, cols - width))  # (2, N)
    # A product with a number just below 1 may be rounded up.
    drawn = (draw(2) * (rest + 1)).floor().minimum(rest)
    top, left = drawn.where(found, (rest / 2).floor())
    return torch.stack((top, left, height, width))


def jitter(step: ColorJitter, images: Tensor, draw: BatchDraws) -> Tensor:
    """Change colors, in a random order for each image."""
    check_channels(step, images)
    order = draw(4).argsort(0)
    spans = step.brightness, step.contrast, step.saturation, step.hue
    numbers = draw(4)
    *factors, hue = (torch.full_like(row, 1) if span is None else between(
        span, row) for span, row in zip(spans, numbers))
    return batch_ops.jitter_colors(images, torch.stack(factors),
                                   None if step.hue is None else hue, order)


def gray(step: RandomGrayscale, images: Tensor, draw: BatchDraws) -> Tensor:
    """Turn some images gray."""
    check_channels(step, images)
    return choose(
        draw(1)[0] < step.prob,
        batch_ops.weighted_gray(images, step.channel_weights), images)


def blur(step: RandomGaussianBlur, images: Tensor, draw: BatchDraws) -> Tensor:
    """Blur some images."""
    taken, sigma = draw(2)
    sigma = between((step.sigma_min, step.sigma_max), sigma)
    return choose(taken < step.prob,
                  batch_ops.gaussian_blur(images, sigma, step.sigma_max),
                  images)


def solarize(step: RandomSolarize, images: Tensor, draw: BatchDraws) -> Tensor:
    """Invert the bright pixels of some images."""
    return choose(
        draw(1)[0] < step.prob, batch_ops.solarize(images, step.threshold),
        images)


def flip(step: RandomFlip, images: Tensor, draw: BatchDraws) -> Tensor:
    """Flip some images, each in one direction."""
    directions = step.direction
    if isinstance(directions, str):
        directions = [directions]
    probs = step.prob
    if not isinstance(probs, list):
        probs = [probs / len(directions)] * len(directions)
    number, low = draw(1)[0], 0.
    flipped = images
    for direction, prob in zip(directions, probs):
        taken = (low <= number) & (number < low + prob)
        flipped = choose(taken, images.flip(FLIPS[direction]), flipped)
        low += prob
    return flipped


def check_channels(step: BaseTransform, images: Tensor) -> None:
    """Refuse to change the colors of images that have none.

    Raises:
        ValueError: If they do not have three channels. The step of one image
            may accept them, if it changes only brightness and contrast.
    """
    channels = images.shape[1]
    check_colors(step, channels)
    if channels != 3:
        raise ValueError(
            f'{type(step).__name__} of images of {channels} channel(s) does '
            'not work on whole batches: make the views in the loader, by '
            'MultiView')


BATCH_STEPS: Dict[type, Callable] = {
    ColorJitter: jitter,
    RandomApply: apply_some,
    RandomFlip: flip,
    RandomGaussianBlur: blur,
    RandomGrayscale: gray,
    RandomResizedCrop: crop,
    RandomSolarize: solarize
}
