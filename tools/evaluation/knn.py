"""k-NN accuracy of a backbone: ``knn.py CONFIG CHECKPOINT``."""
import argparse

from mmengine.config import DictAction
from mmengine.logging import MMLogger

from mmregioncl.engine.config import load_config
from mmregioncl.evaluation import (check_class_folders, eval_dataset,
                                   extract_features, knn_accuracy, load_model)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='k-NN accuracy of the backbone of a checkpoint')
    parser.add_argument('config', help='the config it was trained with')
    parser.add_argument(
        'checkpoint', help='the checkpoint, or "none" for random weights')
    parser.add_argument(
        '--train',
        metavar='DIR',
        help='labelled images, one folder per class '
        '(default: eval_datasets of the config)')
    parser.add_argument('--test', metavar='DIR', help='likewise')
    parser.add_argument('--k', type=int, nargs='+', default=[20])
    parser.add_argument('--temperature', type=float, default=0.1)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    if bool(args.train) != bool(args.test):
        parser.error('--train and --test go together')
    return args


def main() -> None:
    args = parse_args()
    MMLogger.get_instance('knn', log_level='WARNING')  # not each weight's init
    cfg = load_config(args.config, args.cfg_options)
    try:
        if args.train:
            check_class_folders(args.train, args.test)
        sets = [
            eval_dataset(cfg, split, getattr(args, split))
            for split in ('train', 'test')
        ]
    except ValueError as error:
        raise SystemExit(f'{error} (--train and --test)') from None
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    model = load_model(cfg, checkpoint)
    (train, train_labels), (test, test_labels) = (
        extract_features(model, dataset, args.batch_size, args.workers)
        for dataset in sets)
    for k in args.k:
        accuracy = knn_accuracy(train, train_labels, test, test_labels, k,
                                args.temperature)
        print(f'k-NN accuracy {accuracy:.4f} (k={k}, '
              f'T={args.temperature}, {len(train)} train and {len(test)} test '
              'images)')


if __name__ == '__main__':
    main()
