"""Draw predictions: ``browse_predictions.py CONFIG CHECKPOINT OUT``."""
import argparse

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw ground truth and predictions of a detector or '
        'segmenter in validation images')
    parser.add_argument('config', help='config of configs/benchmarks')
    parser.add_argument(
        'checkpoint', help='checkpoint of the fine-tuned model')
    parser.add_argument('out', help='PNG file to write')
    parser.add_argument(
        '--count', type=int, default=5, help='number of images')
    parser.add_argument(
        '--score', type=float, default=0.3, help='lowest score of boxes')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.engine.config import check_data, load_config
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.visualization import browse_predictions

    start_tool('predictions')
    cfg = load_config(args.config, args.cfg_options)
    check_data(cfg, 'val_dataloader')
    browse_predictions(cfg, args.checkpoint, args.out, args.count, args.score)
    print(args.out)


if __name__ == '__main__':
    main()
