"""Draw views and composites of a config: ``browse_views.py CONFIG OUT.png``.
"""
import argparse

from mmengine.config import DictAction
from mmengine.runner import set_random_seed

from mmregioncl.engine.config import load_config
from mmregioncl.visualization import browse_views


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw both views, the composite and its region, as '
        'training makes them')
    parser.add_argument('config', help='config of any method with two views')
    parser.add_argument('out', help='PNG file to write')
    parser.add_argument('--count', type=int, default=8, help='images (even)')
    parser.add_argument('--seed', type=int, help='for the same sheet again')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = load_config(args.config, args.cfg_options)
    if args.seed is not None:
        set_random_seed(args.seed)
    browse_views(cfg, args.out, args.count)
    print(args.out)


if __name__ == '__main__':
    main()
