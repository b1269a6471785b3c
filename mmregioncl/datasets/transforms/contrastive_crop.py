import math
import random
from typing import Optional, Sequence, Tuple

import numpy as np

from mmregioncl.registry import TRANSFORMS
from .fast import RandomResizedCrop

Box = Tuple[float, float, float, float]


def place_crop(length: int, extent: int, low: float, high: float,
               alpha: float) -> int:
    """Draw where a crop begins along one side of an image.

    Its centre lies between the edges of the box, as far as the crop then stays
    within the image; of these places one is drawn by Beta(alpha, alpha), each
    with the same chance at alpha=1. (The official code never takes the last
    of them.)

    Args:
        length (int): Of the side in pixels.
        extent (int): Of the crop in pixels, at most length.
        low (float): Near edge of the box in fractions of the side.
        high (float): Far edge.
        alpha (float): Below 1 prefers the ends of the range.

    Returns:
        int: First pixel of the crop.
    """
    first, last = (
        min(max(int(length * edge) - extent // 2, 0), length - extent)
        for edge in (low, high))
    places = last - first + 1
    place = int(places * random.betavariate(alpha, alpha))
    return first + min(place, places - 1)  # a Beta may give exactly 1


@TRANSFORMS.register_module()
class ContrastiveCrop(RandomResizedCrop):
    """Random resized crop with its centre in the box of the image.

    Drop-in for ``RandomResizedCrop``, each view draws on its own. The box is
    ``ccrop_box`` of the sample, which ``mmregioncl.SemanticLocalizationHook``
    hands out; None, as during the warm-up, gives the parent's crop. The size
    of a crop does not depend on the box. ``ContrastiveCrop.get_params`` of the
    official code (xyupeng/ContrastiveCrop at 408f143, `paper
    <https://arxiv.org/abs/2202.03278>`_).

    Args:
        size (int or Sequence[int]): Height and width of the views in pixels.
        scale (tuple[float, float]): Range of the crop's part of the area.
            Defaults to (0.08, 1.0).
        ratio (tuple[float, float]): Range of width by height. Defaults to
            (3 / 4, 4 / 3).
        alpha (float): Both parameters of the Beta law of the centre. Below 1
            keeps it off the middle of the box, 1 is uniform. Defaults to 0.6.
        fixed_box (tuple[float, float, float, float], optional): Top, left,
            bottom and right in fractions of the image, for all images.
            ``(.25, .25, .75, .75)`` is SimCCrop, the whole image suppresses
            the centre alone. Defaults to None, the box of the sample.
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
        for name, (low, high), most in (('scale', scale, 1), ('ratio', ratio,
                                                              math.inf)):
            if not 0 < low <= high <= most:
                raise ValueError(f'{name}={(low, high)} of ContrastiveCrop '
                                 f'has to be a range within (0, {most}]')
        self.alpha = alpha
        self.fixed_box = None if fixed_box is None else check_box(fixed_box)

    def transform(self, results: dict) -> dict:
        """Crop ``img`` and resize it.

        Args:
            results (dict): With ``img`` (H, W, C) and, unless there is a
                fixed box, ``ccrop_box``.

        Returns:
            dict: The same, with another ``img`` and ``img_shape``.

        Raises:
            KeyError: If nothing hands out boxes.
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

    def draw_crop(self, image_size: Tuple[int, int],
                  box: Box) -> Tuple[int, int, int, int]:
        """Draw a crop, with the size that the parent draws.

        Args:
            image_size (tuple[int, int]): Height and width in pixels.
            box (tuple): Top, left, bottom and right in fractions.

        Returns:
            tuple[int, int, int, int]: Top, left, height and width. If
            no size fits in max_attempts, the parent's central crop.
        """
        height, width = image_size
        for _ in range(self.max_attempts):
            area = random.uniform(*self.scale) * height * width
            ratio = math.exp(random.uniform(*map(math.log, self.ratio)))
            rows = round(math.sqrt(area / ratio))
            columns = round(math.sqrt(area * ratio))
            if 0 < rows <= height and 0 < columns <= width:
                return (place_crop(height, rows, box[0], box[2], self.alpha),
                        place_crop(width, columns, box[1], box[3],
                                   self.alpha), rows, columns)
        top, left, bottom, right = self.get_params(
            np.empty(image_size), self.scale, self.ratio, max_attempts=0)
        return top, left, bottom - top + 1, right - left + 1

    def __repr__(self) -> str:
        return (f'{super().__repr__()[:-1]}, alpha={self.alpha}, '
                f'fixed_box={self.fixed_box})')


def check_alpha(alpha: float) -> None:
    """Refuse what betavariate does not draw precisely.

    Raises:
        ValueError: If alpha is not in [0.01, 100].
    """
    if not 0.01 <= alpha <= 100:
        raise ValueError(f'alpha={alpha} of ContrastiveCrop has to be in '
                         '[0.01, 100]; 0.1 and 0.6 are published')


def check_box(box: Sequence[float]) -> Box:
    """A box as a tuple, if it is one.

    Raises:
        ValueError: If it is not top, left, bottom, right in [0, 1].
    """
    box = tuple(box)
    if len(box) != 4 or not (0 <= box[0] <= box[2] <= 1
                             and 0 <= box[1] <= box[3] <= 1):
        raise ValueError(f'fixed_box={box} of ContrastiveCrop has to be (top, '
                         'left, bottom, right) in fractions of the image')
    return box
