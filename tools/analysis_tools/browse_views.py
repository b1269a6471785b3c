"""Draw views and composites of a config: ``browse_views.py CONFIG OUT.png``.
"""
import argparse

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw the two views and the composite of training images')
    parser.add_argument('config', help='config of a method with two views')
    parser.add_argument('out', help='PNG file to write')
    parser.add_argument(
        '--count', type=int, default=8, help='number of images, even')
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
    from mmregioncl.visualization import browse_views

    start_tool()
    cfg = load_config(args.config, args.cfg_options)
    check_data(cfg, 'train_dataloader')
    if args.seed is not None:
        set_random_seed(check_seed('--seed', args.seed, 'browse_views.py'))
    browse_views(cfg, args.out, args.count)
    print(args.out)


if __name__ == '__main__':
    main()
