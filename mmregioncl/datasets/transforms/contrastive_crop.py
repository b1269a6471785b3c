import random
from typing import Optional, Sequence, Tuple

from mmregioncl.registry import TRANSFORMS
from .augmentations import (RandomResizedCrop, Size, central_crop,
                            draw_crop_size)

Box = Tuple[float, float, float, float]


def place_crop(length: int, extent: int, low: float, high: float,
               alpha: float) -> int:
    """Draw the position of a crop along one side of an image.

    The center of the crop lies between the edges of the box, as far as the
    crop stays within the image. The position is drawn from Beta(alpha, alpha)
    over this range, which is uniform for alpha=1. (The official code never
    draws the last position.)

    Args:
        length (int): Length of the side in pixels.
        extent (int): Length of the crop in pixels, at most `length`.
        low (float): Near edge of the box as a fraction of the side.
        high (float): Far edge of the box as a fraction of the side.
        alpha (float): Both parameters of the Beta distribution. Values below 1
            prefer the ends of the range.

    Returns:
        int: First pixel of the crop.
    """
    first, last = (
        min(max(int(length * edge) - extent // 2, 0), length - extent)
        for edge in (low, high))
    places = last - first + 1
    place = int(places * random.betavariate(alpha, alpha))
    return first + min(place, places - 1)  # betavariate may return 1


@TRANSFORMS.register_module()
class ContrastiveCrop(RandomResizedCrop):
    """Random resized crop whose center lies in the box of the image.

    A drop-in replacement for ``RandomResizedCrop``. The box is ``ccrop_box``
    of the sample, which ``mmregioncl.SemanticLocalizationHook`` provides. If
    it is None, as during the warm-up, the parent's crop is used. The size of a
    crop does not depend on the box. Views are drawn independently.

    Follows ``ContrastiveCrop.get_params`` of the official code
    (xyupeng/ContrastiveCrop at 408f143, `paper
    <https://arxiv.org/abs/2202.03278>`_).

    Args:
        size (int or Sequence[int]): Height and width of the views in pixels.
        scale (tuple[float, float]): Range of the area of a crop, as a fraction
            of the image. Defaults to (0.08, 1.0).
        ratio (tuple[float, float]): Range of the aspect ratio, width by
            height. Defaults to (3 / 4, 4 / 3).
        alpha (float): Both parameters of the Beta distribution of the center.
            Values below 1 avoid the middle of the box, 1 is uniform. Defaults
            to 0.6.
        fixed_box (tuple[float, float, float, float], optional): One box for
            all images: top, left, bottom and right as fractions of the image.
            ``(.25, .25, .75, .75)`` is SimCCrop. ``(0, 0, 1, 1)`` is center
            suppression only. Defaults to None, the box of the sample.
        **kwargs: Further arguments of ``RandomResizedCrop``.
    """

    def __init__(self,
                 size,
                 scale: Tuple[float, float] = (0.08, 1.0),
                 ratio: Tuple[float, float] = (3. / 4., 4. / 3.),
                 alpha: float = 0.6,
                 fixed_box: Optional[Sequence[float]] = None,
                 **kwargs) -> None:
        super().__init__(size, scale, ratio, **kwargs)
        check_alpha(alpha)
        self.alpha = alpha
        self.fixed_box = None if fixed_box is None else check_box(fixed_box)

    def transform(self, results: dict) -> dict:
        """Crop ``img`` and resize it.

        Args:
            results (dict): A sample with ``img`` (H, W, C) and, unless
                `fixed_box` is set, ``ccrop_box``.

        Returns:
            dict: The sample with new ``img`` and ``img_shape``.

        Raises:
            KeyError: If the sample has no box.
        """
        box = self.fixed_box
        if box is None:
            if 'ccrop_box' not in results:
                raise KeyError(
                    'ContrastiveCrop found no ccrop_box: add mmregioncl.'
                    'SemanticLocalizationHook to the hooks of the config, or '
                    'set fixed_box')
            box = results['ccrop_box']
        if box is None:
            return super().transform(results)
        return self.set_crop(results,
                             *self.draw_crop(results['img'].shape[:2], box))

    def draw_crop(self, image_size: Size,
                  box: Box) -> Tuple[int, int, int, int]:
        """Draw a crop with the same distribution of sizes as the parent.

        Args:
            image_size (tuple[int, int]): Height and width in pixels.
            box (tuple[float, float, float, float]): Top, left, bottom and
                right as fractions of the image.

        Returns:
            tuple[int, int, int, int]: Top, left, height and width in pixels.
            If no size fits in max_attempts, the central crop of the parent.
        """
        size = draw_crop_size(image_size, self.scale, self.ratio,
                              self.max_attempts)
        if size is None:
            return central_crop(image_size, self.ratio)
        top, left = (place_crop(length, side, low, high, self.alpha)
                     for length, side, low, high in zip(
                         image_size, size, box[:2], box[2:]))
        return top, left, *size

    def __repr__(self) -> str:
        return (f'{super().__repr__()[:-1]}, alpha={self.alpha}, '
                f'fixed_box={self.fixed_box})')


def check_alpha(alpha: float) -> None:
    """Refuse values for which betavariate is not accurate.

    Raises:
        ValueError: If alpha is not in [0.01, 100].
    """
    if not 0.01 <= alpha <= 100:
        raise ValueError(f'alpha={alpha} of ContrastiveCrop has to be in '
                         '[0.01, 100]; 0.1 and 0.6 are published')


def check_box(box: Sequence[float]) -> Box:
    """Return a box as a tuple if it is valid.

    Raises:
        ValueError: If it is not (top, left, bottom, right) in [0, 1].
    """
    box = tuple(box)
    if len(box) != 4 or not (0 <= box[0] <= box[2] <= 1
                             and 0 <= box[1] <= box[3] <= 1):
        raise ValueError(f'fixed_box={box} of ContrastiveCrop has to be (top, '
                         'left, bottom, right) as fractions of the image')
    return box
