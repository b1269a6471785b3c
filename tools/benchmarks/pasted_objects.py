"""Learn from objects pasted on street scenes, at places that are known.

    python tools/benchmarks/pasted_objects.py WORK_DIR --crops random object

An image of CIFAR-10 lies anywhere on a 64x64 crop of CamVid, shown at half its
size. The same arguments give the same images. MoCo v2 of quarter width learns
from views of 32 pixels: random crops, crops whose center lies in the object
(object), or in the box that the network finds every two epochs by the
threshold 'mean' (network). The sizes of all crops have one distribution, and
alpha is 1.

Prints what a view shows of the object, and k-NN of the object's class on the
whole images of the test set. A run that was killed resumes.
"""
import argparse
import random
from pathlib import Path
from typing import Iterator, Optional, Tuple

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS
from mmengine.runner import Runner

from mmregioncl.datasets.transforms import ContrastiveCrop
from mmregioncl.engine.config import load_config
from mmregioncl.engine.messages.quiet import hide_needless_warnings
from mmregioncl.evaluation import (class_folder, extract_features,
                                   knn_accuracy, load_model)
from mmregioncl.evaluation.objects import read_objects

SIDE, OBJECT = 64, 32  # pixels
CONFIG = (
    Path(__file__).parents[2] / 'configs/regioncl' /
    'mocov2_resnet18-w16_1xb64-coslr-10e_cifar10-10k.py')
CROPS = ('random', 'object', 'network')
WHOLE = (0., 0., 1., 1.)


def paste(street: np.ndarray, thing: np.ndarray,
          draw: random.Random) -> Tuple[np.ndarray, int, int]:
    """Paste an object on a crop of a street, (64, 64, 3); and its place."""
    street = cv2.resize(
        street, None, fx=.5, fy=.5, interpolation=cv2.INTER_AREA)
    rows, columns = street.shape[:2]
    top, left = draw.randint(0, rows - SIDE), draw.randint(0, columns - SIDE)
    scene = street[top:top + SIDE, left:left + SIDE].copy()
    top, left = (draw.randint(0, SIDE - OBJECT) for _ in range(2))
    scene[top:top + OBJECT, left:left + OBJECT] = thing
    return scene, top, left


def images_of(path: Path, count: int) -> Iterator[Tuple[np.ndarray, int]]:
    """The first images of an archive of CIFAR-10, and their classes."""
    with np.load(path) as archive:
        ends, labels = archive['offset'], archive['labels']
        codes = archive['jpeg']
        for index in range(count):
            code = codes[ends[index]:ends[index + 1]]
            yield cv2.imdecode(code, cv2.IMREAD_COLOR), int(labels[index])


def write_scenes(root: Path, split: str, cifar: Path, camvid: Path,
                 count: int) -> None:
    """Write images in folders of their classes, and where objects are.

    The places are in the format of Tiny-ImageNet's ``val_annotations.txt``.
    """
    part = 'train' if split == 'train' else 'val'
    streets = [
        cv2.imread(str(path))
        for path in sorted((camvid / 'img_dir' / part).glob('*.jpg'))
    ]
    draw = random.Random(split)
    lines = []
    for index, (thing,
                label) in enumerate(images_of(cifar / f'{split}.npz', count)):
        scene, top, left = paste(draw.choice(streets), thing, draw)
        name = f'{split}_{index}.png'
        folder = root / split / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), scene)
        last = OBJECT - 1
        lines.append(f'{name}\t{label}\t{left}\t{top}\t{left + last}\t'
                     f'{top + last}\n')
    (root / f'{split}.txt').write_text(''.join(lines))


@TRANSFORMS.register_module()
class ObjectBox(BaseTransform):
    """Add the box of the object, or of the whole image, for ContrastiveCrop.

    Args:
        path (str, optional): A file for ``read_objects``. Defaults to None,
            whole images.
    """

    def __init__(self, path: Optional[str] = None) -> None:
        self.boxes = path and {
            name: tuple(boxes[0].tolist())
            for name, boxes in read_objects(path).items()
        }

    def transform(self, results: dict) -> dict:
        """Add ``ccrop_box``."""
        name = Path(results['img_path']).name
        results['ccrop_box'] = self.boxes[name] if self.boxes else WHOLE
        return results


def config_of(root: Path, crops: str, epochs: int, seed: int) -> Config:
    """Config of a run in its own folder."""
    cfg = load_config(CONFIG)
    view = cfg.train_dataloader.dataset.pipeline[0]
    view.transforms[0][0].update(type='mmregioncl.ContrastiveCrop', alpha=1.)
    boxes = [] if crops == 'network' else [
        dict(
            type='ObjectBox',
            path=str(root / 'train.txt') if crops == 'object' else None)
    ]
    cfg.train_dataloader.dataset = dict(
        type='mmregioncl.ImageFolder',
        data_root=str(root / 'train'),
        pipeline=[
            dict(type='mmregioncl.LoadImage'), *boxes, view,
            dict(type='mmregioncl.PackSelfSupInputs')
        ])
    cfg.model.queue_len = 512
    for name in ('knn', 'linear', 'health'):  # evaluated at the end
        cfg.default_hooks.pop(name, None)
    cfg.default_hooks.checkpoint.update(interval=1, max_keep_ckpts=1)
    if crops == 'network':
        cfg.default_hooks.boxes = dict(
            type='mmregioncl.SemanticLocalizationHook',
            warmup_epochs=2,
            interval=2,
            threshold='mean')
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler[0].update(T_max=epochs, end=epochs)
    cfg.merge_from_dict(
        dict(
            work_dir=str(root / f'{crops}-seed{seed}'),
            experiment_name=f'{crops}-seed{seed}',
            resume=True,
            randomness=dict(seed=seed)))
    return cfg


def describe_views(root: Path) -> None:
    """Print how much of the object views show, by where crops are drawn."""
    objects = read_objects(root / 'train.txt')
    crop = ContrastiveCrop(32, scale=(.2, 1.), alpha=1.)
    random.seed(0)
    for name in ('random', 'object'):
        shown = []
        for box in objects.values():
            place = tuple(box[0].tolist())
            near_top, near_left, rows, columns = crop.draw_crop(
                (SIDE, SIDE), WHOLE if name == 'random' else place)
            top, left, bottom, right = (edge * SIDE for edge in place)
            height = min(bottom, near_top + rows) - max(top, near_top)
            width = min(right, near_left + columns) - max(left, near_left)
            shown.append(max(height, 0) * max(width, 0) / OBJECT**2)
        shown = np.array(shown)
        print(f'{name} crops show {shown.mean():.3f} of the object, less than '
              f'half of it in {(shown < .5).mean():.3f}, nothing of it in '
              f'{(shown == 0).mean():.3f} of the views')


def accuracy_of(root: Path, cfg: Config, checkpoint: Optional[str]) -> float:
    """K-NN of the object's class, k=20, on whole images of the test set."""
    torch.manual_seed(0)
    model = load_model(cfg, checkpoint)
    train, test = (
        extract_features(model,
                         DATASETS.build(class_folder(str(root / split), 32)),
                         128, 0) for split in ('train', 'test'))
    return knn_accuracy(*train, *test, k=20)


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Objects pasted on street scenes, and crops of them')
    parser.add_argument('work_dir', type=Path)
    parser.add_argument('--crops', nargs='+', choices=CROPS, default=CROPS)
    parser.add_argument('--cifar', type=Path, default=Path('data/cifar10'))
    parser.add_argument('--camvid', type=Path, default=Path('data/camvid'))
    parser.add_argument('--train', type=int, default=2000)
    parser.add_argument('--test', type=int, default=2000)
    parser.add_argument('--epochs', type=int, default=8)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    hide_needless_warnings()
    torch.set_num_threads(1)
    for split in ('train', 'test'):
        if not (args.work_dir / f'{split}.txt').exists():
            write_scenes(args.work_dir, split, args.cifar, args.camvid,
                         getattr(args, split))
    describe_views(args.work_dir)
    error = (.25 / args.test)**.5
    for crops in args.crops:
        cfg = config_of(args.work_dir, crops, args.epochs, args.seed)
        Runner.from_cfg(cfg).train()
        found = accuracy_of(args.work_dir, cfg,
                            f'{cfg.work_dir}/epoch_{args.epochs}.pth')
        print(f'{crops}: k-NN {found:.4f} (standard error below {error:.4f})')


if __name__ == '__main__':
    main()
