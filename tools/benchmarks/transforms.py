"""Time the transforms of this package against those of mmselfsup.

Both draw the same views from the same seeds, on one core. Photographs are JPEG
files; other libraries that are installed are timed beside them.
"""
import argparse
import random
import statistics
import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Dict, List

import cv2
import numpy as np
import torch
from measure import at_least, header, interleave, ratio, upstream
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import DATASETS, TRANSFORMS, init_default_scope
from PIL import Image
from sklearn.datasets import load_sample_image

from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.transforms import image_ops

CONFIGS = Path(__file__).parents[2] / 'configs' / 'regioncl'
LIBRARIES = ('torchvision', 'kornia', 'albumentations')
IMAGENET = CONFIGS / 'regioncl-m_resnet50_8xb128-coslr-200e_in1k.py'
CIFAR10 = CONFIGS / 'regioncl-m_resnet18_1xb512-coslr-200e_cifar10.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--images',
        nargs='+',
        metavar='DIR',
        help='folders of photographs; those with a side of 480 pixels or more '
        "are used (default: scikit-learn's two)")
    parser.add_argument('--cifar10', metavar='DIR', help='of the data set')
    parser.add_argument(
        '--count', type=at_least(1), default=40, help='images of a folder')
    parser.add_argument('--repeats', type=at_least(1), default=9)
    return parser.parse_args()


def photographs(args: argparse.Namespace, folder: str) -> List[str]:
    """Paths of photographs."""
    if not args.images:
        for name in ('china.jpg', 'flower.jpg'):
            cv2.imwrite(f'{folder}/{name}', load_sample_image(name)[..., ::-1])
        return [f'{folder}/china.jpg', f'{folder}/flower.jpg']
    found = []
    for root in args.images:
        infos = ImageFolder(root).load_data_list()
        large = []
        for info in infos:
            with Image.open(info['img_path']) as image:
                if max(image.size) >= 480:
                    large.append(info['img_path'])
        found += random.Random(0).sample(large, min(args.count, len(large)))
    return found


def pipelines(path: Path) -> Dict[str, list]:
    """The training pipeline of a config, upstream's and ours."""
    ours = Config.fromfile(path).train_dataloader.dataset.pipeline
    return dict(mmselfsup=upstream(ours), mmregioncl=ours)


def seeded(step: Callable, items: list) -> Callable[[], None]:
    """All items in turn, with the same draws each time."""

    def run() -> None:
        random.seed(0)
        np.random.seed(0)
        for item in items:
            step(item)

    return run


def compare(title: str, steps: Dict[str, Callable], items: list,
            repeats: int) -> None:
    """A line: milliseconds of an item, and how many times as fast."""
    times = interleave(
        {
            name: seeded(step, items)
            for name, step in steps.items()
        }, repeats)
    base, *others = times
    for other in others:
        per_item = (1e3 * statistics.median(times[name]) / len(items)
                    for name in (base, other))
        name = f'{title}{other}' if title.endswith(': ') else title
        print('{:38} {:9.3f} {:9.3f}'.format(name, *per_item),
              ratio(times[base], times[other]))


def distance(steps: Dict[str, Callable], items: list) -> str:
    """Mean and greatest absolute difference of the views of an item."""
    drawn = []
    for step in steps.values():
        random.seed(0)
        np.random.seed(0)
        drawn.append([step(item)['inputs'] for item in items])
    differences = [(a.int() - b.int()).abs().double().mean()
                   for one, other in zip(*drawn) for a, b in zip(one, other)]
    return (f'{torch.stack(differences).mean():.2f} of 255 apart on average, '
            f'{max(differences):.2f} in the view that is furthest')


def single(name: str, **settings) -> Dict[str, Callable]:
    """One transform, upstream's and ours, of an image."""
    both = {}
    for package, scope in dict(mmselfsup='', mmregioncl='mmregioncl.').items():
        transform = TRANSFORMS.build(dict(type=f'{scope}{name}', **settings))
        both[package] = lambda img, t=transform: t(dict(img=img))
    return both


def libraries() -> Dict[str, Callable[[np.ndarray], object]]:
    """Two views of MoCo v2 of an image by other libraries."""
    views: Dict[str, Callable] = {}
    if find_spec('torchvision'):
        from torchvision.transforms import v2
        tensor = v2.Compose([
            v2.RandomResizedCrop(224, (0.2, 1.), antialias=True),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.1)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(13, (0.1, 2.))], 0.5),
            v2.RandomHorizontalFlip()
        ])
        views['torchvision.v2'] = lambda img: [
            tensor(torch.from_numpy(img).permute(2, 0, 1)) for _ in range(2)
        ]
    if find_spec('kornia'):
        from kornia import augmentation as k
        chain = k.AugmentationSequential(
            k.RandomResizedCrop((224, 224), (0.2, 1.)),
            k.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8), k.RandomGrayscale(p=0.2),
            k.RandomGaussianBlur((13, 13), (0.1, 2.)),
            k.RandomHorizontalFlip())
        views['kornia'] = lambda img: [
            chain(torch.from_numpy(img).permute(2, 0, 1)[None].float() / 255)
            for _ in range(2)
        ]
    if find_spec('albumentations'):
        import albumentations as a
        chain_a = a.Compose([
            a.RandomResizedCrop(size=(224, 224), scale=(0.2, 1.)),
            a.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
            a.ToGray(p=0.2),
            a.GaussianBlur(sigma_limit=(0.1, 2.), p=0.5),
            a.HorizontalFlip()
        ])
        views['albumentations'] = lambda img: [
            chain_a(image=img) for _ in range(2)
        ]
    return views


def decoders() -> Dict[str, Callable[[str], object]]:
    """Ways to decode a file."""
    load, ours = (
        TRANSFORMS.build(dict(type=name))
        for name in ('LoadImageFromFile', 'mmregioncl.LoadImage'))
    ways: Dict[str, Callable] = {
        'mmcv':
        lambda path: load(dict(img_path=path)),
        'this package (simplejpeg)':
        lambda path: ours(dict(img_path=path)),
        'Pillow':
        lambda path: np.asarray(Image.open(path).convert('RGB')),
        'OpenCV at half size':
        lambda path: cv2.imread(path, cv2.IMREAD_REDUCED_COLOR_2)
    }
    if find_spec('torchvision'):
        from torchvision.io import decode_image
        ways['torchvision'] = decode_image
    if find_spec('turbojpeg'):
        from turbojpeg import TurboJPEG
        turbo = TurboJPEG()
        ways['PyTurboJPEG'] = lambda path: turbo.decode(
            Path(path).read_bytes())
    return ways


def main() -> None:
    args = parse_args()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    init_default_scope('mmselfsup')
    print(header('cpu', 'opencv-python', 'pillow', 'numpy', 'mmselfsup'))
    print(f'{"milliseconds of an image":38} {"mmselfsup":>9} '
          f'{"mmregioncl":>9}  times as fast (range of {args.repeats})')
    with TemporaryDirectory() as folder:
        paths = photographs(args, folder)
        sizes = [cv2.imread(path).shape for path in paths]
        both = pipelines(IMAGENET)
        whole = {name: Compose(steps) for name, steps in both.items()}
        files = [dict(img_path=path) for path in paths]
        compare('two views of 224 px from a JPEG', {
            n: lambda f, p=p: p(dict(f))
            for n, p in whole.items()
        }, files, args.repeats)
        images = [cv2.imread(path) for path in paths]
        steps = {
            name: lambda img, p=Compose(steps[1:]): p(dict(img=img))
            for name, steps in both.items()
        }
        compare('  without decoding', steps, images, args.repeats)
        apart = distance(steps, images)
        views = [
            image_ops.resize_crop(img, (0, 0), img.shape[:2], (224, 224),
                                  'bilinear', 'pillow') for img in images
        ]
        crop = dict(size=224, scale=(0.2, 1.), backend='pillow')
        jitter = dict(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
        gray = dict(
            prob=1.,
            keep_channels=True,
            channel_weights=(0.114, 0.587, 0.2989))
        blur = dict(sigma_min=0.1, sigma_max=2., prob=1.)
        singles = dict(
            RandomResizedCrop=crop,
            ColorJitter=jitter,
            RandomGrayscale=gray,
            RandomGaussianBlur=blur,
            RandomSolarize=dict(prob=1.),
            PackSelfSupInputs={})
        for name, settings in singles.items():
            items = images if settings is crop else views
            compare(f'  {name}', single(name, **settings), items, args.repeats)
        pack = TRANSFORMS.build(dict(type='mmregioncl.PackSelfSupInputs'))
        flips = {
            package: lambda img, flip=flip: pack(flip(img))
            for package, flip in single('RandomFlip', prob=1.).items()
        }  # a flip that is a view is paid for by what reads it
        compare('  RandomFlip, and our packing', flips, views, args.repeats)
        if args.cifar10:
            small_apart = cifar10(args)
        small_views = reduced(paths, args.repeats)
        print('\nThe same by other libraries, decoded already; times as fast '
              'as this package')
        ours = {'mmregioncl': steps['mmregioncl']}
        compare('  views: ', {**ours, **libraries()}, images, args.repeats)
        missing = [name for name in LIBRARIES if not find_spec(name)]
        if missing:
            print(f'  not installed: {", ".join(missing)}')
        print('\nDecoding; times as fast as mmcv.LoadImageFromFile (OpenCV)')
        compare('  file: ', decoders(), paths, args.repeats)
    height, width = np.median([size[:2] for size in sizes], axis=0)
    print(f'\n{len(paths)} photographs, {height:.0f}x{width:.0f} in the '
          f'median. The views are {apart}.')
    if args.cifar10:
        print(f'Those of CIFAR-10 are {small_apart}.')
    print(f'Those of 64 px by min_side are {small_views}.')


def reduced(paths: List[str], repeats: int) -> str:
    """The line of decoding at half size where crops stay large enough.

    For views of 64 pixels, as these photographs are too small for more.
    """
    crop = dict(
        type='mmregioncl.RandomResizedCrop',
        size=64,
        scale=(0.2, 1.),
        backend='pillow')
    steps = {}
    for name, min_side in dict(full=None, less=166).items():
        load = dict(type='mmregioncl.LoadImage', min_side=min_side)
        views = dict(
            type='mmregioncl.MultiView', num_views=2, transforms=[[crop]])
        pack = dict(type='mmregioncl.PackSelfSupInputs')
        pipeline = Compose([load, views, pack])
        steps[name] = lambda path, p=pipeline: p(dict(img_path=path))
    compare('two crops of 64 px: full size, less', steps, paths, repeats)
    draw = random.Random(0)
    distances = []
    for path in paths:
        full = cv2.imread(path)
        half = cv2.imread(path, cv2.IMREAD_REDUCED_COLOR_2)
        for _ in range(4):  # the same crop of both
            side = draw.randint(64, min(half.shape[:2]))
            top, left = (
                draw.randint(0, extent - side) for extent in half.shape[:2])
            one, other = (image_ops.resize_crop(img, (top * n, left * n),
                                                (side * n, side * n), (64, 64),
                                                'bilinear',
                                                'pillow').astype(int)
                          for n, img in ((2, full), (1, half)))
            distances.append(np.abs(one - other).mean())
    return (f'{np.mean(distances):.2f} of 255 apart on average, '
            f'{max(distances):.2f} in the view that is furthest')


def cifar10(args: argparse.Namespace) -> str:
    """The line of CIFAR-10, data set and all."""
    sets = {}
    for name, pipeline in pipelines(CIFAR10).items():
        dataset = Config.fromfile(CIFAR10).train_dataloader.dataset
        dataset.update(data_prefix=args.cifar10, pipeline=pipeline)
        sets[name] = DATASETS.build(dataset)
    items = list(range(0, 500))
    steps = {
        name: lambda row, d=dataset: d[row]
        for name, dataset in sets.items()
    }
    compare('two views of 32 px of CIFAR-10', steps, items, args.repeats)
    return distance(steps, items)


if __name__ == '__main__':
    main()
