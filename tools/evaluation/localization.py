"""Whether boxes find objects: ``localization.py CONFIG CHECKPOINT...``."""
import argparse

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='How well the boxes of ContrastiveCrop find objects, '
        'compared with fixed boxes and random ones')
    parser.add_argument('config', help='pre-training config')
    parser.add_argument(
        'checkpoints',
        nargs='+',
        metavar='CHECKPOINT',
        help='checkpoints, or "none" for random weights')
    parser.add_argument(
        '--images', required=True, metavar='DIR', help='folder of images')
    parser.add_argument(
        '--objects',
        required=True,
        metavar='FILE',
        help="boxes of their objects: COCO's JSON, or val_annotations.txt of "
        'Tiny-ImageNet')
    parser.add_argument(
        '--thresholds',
        nargs='+',
        default=['.1', '.2', '.3', '.4', '.5', '.6', '.7', 'mean'],
        help="as of the hook (default: 0.1 to 0.7, and 'mean')")
    parser.add_argument(
        '--count', type=int, help='images, spread evenly (default: all)')
    parser.add_argument(
        '--image-size',
        type=int,
        help='side in pixels of the images that the network sees (default: '
        'that of the crops)')
    parser.add_argument(
        '--seed', type=int, default=0, help='of random weights and boxes')
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    if args.count is not None and args.count < 1:
        parser.error('--count must be at least 1')
    if args.batch_size < 1:
        parser.error('--batch-size must be at least 1')
    if args.workers < 0:
        parser.error('--workers must be at least 0')
    return args


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    import torch

    from mmregioncl.engine.config import load_config
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.evaluation import load_model, view_size
    from mmregioncl.evaluation.localization import find_boxes
    from mmregioncl.evaluation.objects import (images_with_objects,
                                               random_boxes, score)
    from mmregioncl.models.utils import check_threshold

    start_tool('localization')
    cfg = load_config(args.config, args.cfg_options)
    side = args.image_size or view_size(cfg)
    thresholds = [check_threshold(value) for value in args.thresholds]
    dataset, objects = images_with_objects(cfg, args.images, args.objects,
                                           args.count)
    count = len(dataset)
    print(f'{count} images with {sum(map(len, objects)) / count:.1f} objects '
          f'on average, at {side}x{side} pixels\n')
    print(f'{"boxes":28}CorLoc         dealt   gain            mean IoU       '
          'area   whole')

    def show(name: str, boxes: torch.Tensor) -> None:
        found = score(boxes, objects)
        print(f'{name:28}'
              f'{found.corloc:.3f} ±{found.corloc_error:.3f}   '
              f'{found.chance:.3f}   '
              f'{found.gain:+.3f} ±{found.gain_error:.3f}   '
              f'{found.iou:.3f} ±{found.iou_error:.3f}   '
              f'{found.area:.3f}  {found.whole:6.1%}')

    for name, margin in (('whole image', 0.), ('center, half the sides', .25),
                         ('center, .8 of the sides', .1)):
        box = torch.tensor([margin, margin, 1 - margin, 1 - margin])
        show(name, box.expand(count, 4))
    show('random crops', random_boxes(count, (side, side), args.seed))
    for checkpoint in args.checkpoints:
        torch.manual_seed(args.seed)
        weights = None if checkpoint == 'none' else checkpoint
        model = load_model(cfg, weights)
        with torch.no_grad():
            found = find_boxes(model, dataset, (side, side), thresholds,
                               args.batch_size, args.workers)
        print(f'\n{checkpoint}')
        for boxes, value in zip(found, thresholds):
            show(f'threshold {value}', boxes)


if __name__ == '__main__':
    main()
