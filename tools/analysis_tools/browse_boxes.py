"""Draw boxes and crops: ``browse_boxes.py CONFIG CHECKPOINT OUT``."""
import argparse

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw heat maps, boxes and crops of training images, as '
        'ContrastiveCrop computes them')
    parser.add_argument('config', help='pre-training config')
    parser.add_argument(
        'checkpoint', help='checkpoint, or "none" for random weights')
    parser.add_argument('out', help='PNG file to write')
    parser.add_argument(
        '--count', type=int, default=8, help='number of images')
    parser.add_argument(
        '--crops', type=int, default=12, help='crops per image')
    parser.add_argument(
        '--threshold',
        help="threshold of the heat map, 0 to 1, or 'mean' (default: from the "
        'config)')
    parser.add_argument(
        '--alpha',
        type=float,
        help='alpha of the crops (default: from the config)')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmengine.runner import set_random_seed

    from mmregioncl.engine.config import check_data, load_config
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.validation import check_seed
    from mmregioncl.visualization import browse_boxes

    start_tool('boxes')
    cfg = load_config(args.config, args.cfg_options)
    check_data(cfg, 'train_dataloader')
    if args.seed is not None:
        set_random_seed(check_seed('--seed', args.seed, 'browse_boxes.py'))
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    browse_boxes(cfg, checkpoint, args.out, args.count, args.crops,
                 args.threshold, args.alpha)
    print(args.out)


if __name__ == '__main__':
    main()
