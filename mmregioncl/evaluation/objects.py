"""Read annotated objects, and score boxes that should find them."""
import json
import random
from collections import Counter
from pathlib import Path
from typing import (Dict, Iterable, List, NamedTuple, Optional, Sequence,
                    Tuple, Union)

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from torch import Tensor

from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.transforms.augmentations import draw_crop
from mmregioncl.models.utils import are_whole, areas
from mmregioncl.randomness import kept_draws
from .data import eval_pipeline, loading_step, warn_of_lost_shades

TINY = 64  # pixels, the side of the images of Tiny-ImageNet


def read_objects(path: Union[str, Path]) -> Dict[str, Tensor]:
    """Read the boxes of objects.

    Args:
        path (str or Path): Annotations in COCO's format, whose crowds are left
            out, or ``val_annotations.txt`` of Tiny-ImageNet.

    Returns:
        dict[str, Tensor]: By the name of the image file, boxes (M, 4),
        float32: top, left, bottom and right as fractions of the image. Images
        without an object are left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has another format, no objects, or images of
            the same name in two folders.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f'there is no file {path}: pass the '
                                'annotations of the images')
    try:
        text = path.read_text(encoding='utf-8')
        read = read_coco if text.lstrip().startswith(
            '{') else read_tiny_imagenet
        objects = read(text)
        names = [Path(name).name for name in objects]
        sound = all(boxes.isfinite().all() for boxes in objects.values())
    except (ArithmeticError, AttributeError, KeyError, RecursionError,
            TypeError, ValueError):
        sound = False  # a file may contain anything
    if not sound or not objects:
        raise ValueError(
            f'{path} has no boxes of objects: use the annotations of COCO in '
            'JSON, or val_annotations.txt of Tiny-ImageNet')
    check_unique(names, path)
    return dict(zip(names, objects.values()))


def check_unique(names: Iterable[str], place: Union[str, Path]) -> None:
    """Refuse files of the same name, whose objects cannot be told apart.

    Args:
        names (iterable[str]): Of files, without their folders.
        place (str or Path): What contains them, for the message.

    Raises:
        ValueError: If a name occurs twice.
    """
    (name, times), = Counter(names).most_common(1)
    if times > 1:
        raise ValueError(f'{place} has {name} in two folders, but objects are '
                         'matched by file name: give each file a '
                         'different name')


def read_coco(text: str) -> Dict[str, Tensor]:
    """Read the boxes of COCO's JSON by file, without crowds."""
    content = json.loads(text)
    images = {image['id']: image for image in content['images']}
    boxes: Dict[str, list] = {}
    for found in content['annotations']:
        if not found.get('iscrowd'):
            image = images[found['image_id']]
            left, top, width, height = found['bbox']
            boxes.setdefault(image['file_name'], []).append(
                (top / image['height'], left / image['width'],
                 (top + height) / image['height'],
                 (left + width) / image['width']))
    return {name: torch.tensor(rows) for name, rows in boxes.items()}


def read_tiny_imagenet(text: str) -> Dict[str, Tensor]:
    """Read the box of each image, including its last row and column."""
    objects = {}
    for line in text.splitlines():
        name, _, *edges = line.split('\t')
        left, top, right, bottom = map(int, edges)
        box = torch.tensor([[top, left, bottom + 1, right + 1]]) / TINY
        objects[name] = box.clamp(max=1)
    return objects


def best_iou(boxes: Tensor, objects: Sequence[Tensor]) -> Tensor:
    """Intersection over union with the object that each box fits best.

    Args:
        boxes (Tensor): One for each image, (N, 4), as fractions of it.
        objects (sequence[Tensor]): Boxes of the objects in each image, (M, 4),
            M of 1 or more.

    Returns:
        Tensor: Shape (N,), from 0 to 1.
    """
    counts = torch.tensor([len(found) for found in objects])
    owner = torch.arange(len(boxes)).repeat_interleave(counts)
    ours, theirs = boxes[owner], torch.cat(tuple(objects))  # (all objects, 4)
    near = torch.maximum(ours[:, :2], theirs[:, :2])
    far = torch.minimum(ours[:, 2:], theirs[:, 2:])
    common = (far - near).clamp(min=0).prod(1)
    ious = common / (areas(ours) + areas(theirs) - common)
    return ious.new_zeros(len(boxes)).scatter_reduce(0, owner, ious, 'amax')


class Score(NamedTuple):
    """How well the boxes of N images find objects, with standard errors."""
    corloc: float  # share of images with an IoU of at least 0.5
    corloc_error: float
    chance: float  # CorLoc of boxes that two images exchange
    gain: float  # CorLoc above chance
    gain_error: float
    iou: float  # mean
    iou_error: float
    area: float  # mean share of the image
    whole: float  # share of boxes that are the whole image


def score(boxes: Tensor, objects: Sequence[Tensor]) -> Score:
    """Compare boxes with objects.

    CorLoc follows Deselaers et al. (ECCV 2010): a box counts if its IoU with
    one of the objects is at least 0.5. Large objects in the middle are found
    by any large box in the middle, so compare it with ``chance``, the CorLoc
    of the same boxes, each with the objects of another image. The gain is the
    difference of the two.

    Image i exchanges its box with image i + N // 2. The two differences of
    such a pair share both boxes, so they are not independent. Pairs are, and
    the error of the gain is computed over them. The last image of an odd N has
    no partner: it is left out of ``chance`` and the gain, which are NaN for a
    single image.

    Args:
        boxes (Tensor): As in :func:`best_iou`.
        objects (sequence[Tensor]): As in :func:`best_iou`.
    """
    half = len(boxes) // 2
    first, second, odd = boxes.tensor_split((half, 2 * half))
    ious = best_iou(boxes, objects)
    others = best_iou(torch.cat((second, first, odd)), objects)
    hits, by_chance = ((found >= 0.5).double() for found in (ious, others))
    gains = (hits - by_chance)[:2 * half]
    return Score(*mean_and_error(hits), by_chance[:2 * half].mean().item(),
                 *mean_and_error(gains.view(2, half).mean(0)),
                 *mean_and_error(ious),
                 areas(boxes).mean().item(),
                 are_whole(boxes).double().mean().item())


def mean_and_error(values: Tensor) -> Tuple[float, float]:
    """Mean of (N,) values, and its standard error."""
    values = values.double()
    error = values.std(correction=0) / len(values)**0.5
    return values.mean().item(), error.item()


def images_with_objects(
        cfg: Config,
        root: str,
        path: Union[str, Path],
        count: Optional[int] = None) -> Tuple[BaseDataset, List[Tensor]]:
    """A data set of annotated images, and their objects.

    Args:
        cfg (Config): A pre-training config, which says how to load images.
        root (str): As `data_root` of ``ImageFolder``.
        path (str or Path): Annotations for :func:`read_objects`, which name
            files as they are in the folder.
        count (int, optional): How many images, spread evenly. Defaults to
            None, all.

    Returns:
        tuple[BaseDataset, list[Tensor]]: The images, and for each of them the
        boxes (M, 4) of its objects.

    Raises:
        FileNotFoundError: If there are no such annotations.
        ValueError: If no image of the folder has an object, or two such images
            have the same name.
    """
    objects = read_objects(path)
    load = eval_pipeline(1, loading_step(cfg))[0]  # raises if it cannot read
    dataset = ImageFolder(data_root=root, pipeline=[load])
    names = [
        Path(dataset.get_data_info(index)['img_path']).name
        for index in range(len(dataset))
    ]
    rows = [row for row, name in enumerate(names) if name in objects]
    if not rows:
        raise ValueError(f'{path} has no objects in the images of {root}: use'
                         ' the folder that it annotates')
    check_unique((names[row] for row in rows), root)
    chosen = np.linspace(0, len(rows) - 1, min(count or len(rows), len(rows)))
    rows = [rows[index] for index in chosen.round().astype(int)]
    images = dataset.get_subset(rows)
    warn_of_lost_shades(images)
    return images, [objects[names[row]] for row in rows]


def random_boxes(count: int, image_size: Tuple[int, int], seed: int) -> Tensor:
    """Boxes (N, 4) of random crops of at least a fifth of the image.

    Args:
        count (int): N.
        image_size (tuple[int, int]): Height and width in pixels.
        seed (int): Seed of Python's generator, whose state is restored.
    """
    with kept_draws():
        random.seed(seed)
        crops = torch.tensor([
            draw_crop(image_size, (0.2, 1.), (3 / 4, 4 / 3))
            for _ in range(count)
        ])
    corner, size = crops.split(2, 1)
    return torch.cat((corner, corner + size), 1) / torch.tensor(image_size * 2)
