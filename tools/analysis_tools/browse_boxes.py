"""Draw boxes and crops: ``browse_boxes.py CONFIG CHECKPOINT OUT``."""
import argparse

from mmengine.config import DictAction
from mmengine.logging import MMLogger
from mmengine.runner import set_random_seed

from mmregioncl.engine.config import load_config
from mmregioncl.visualization import browse_boxes


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw what a model responds to in training images, the '
        'boxes around it, and crops as ContrastiveCrop draws them')
    parser.add_argument('config', help='any pre-training config')
    parser.add_argument(
        'checkpoint', help='its checkpoint, or "none" for random weights')
    parser.add_argument('out', help='PNG file to write')
    parser.add_argument('--count', type=int, default=8, help='images')
    parser.add_argument('--crops', type=int, default=12, help='of each image')
    parser.add_argument(
        '--threshold',
        type=float,
        help='default: that of the config or the hook')
    parser.add_argument(
        '--alpha', type=float, help='default: that of the config or the crop')
    parser.add_argument('--seed', type=int, help='for the same sheet again')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    MMLogger.get_instance('boxes', log_level='WARNING')  # not each init
    cfg = load_config(args.config, args.cfg_options)
    if args.seed is not None:
        set_random_seed(args.seed)
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    browse_boxes(cfg, checkpoint, args.out, args.count, args.crops,
                 args.threshold, args.alpha)
    print(args.out)


if __name__ == '__main__':
    main()
