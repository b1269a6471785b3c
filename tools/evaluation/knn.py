"""k-NN accuracy of a backbone: ``knn.py CONFIG CHECKPOINT``."""
import argparse
from pathlib import Path

from mmengine.config import DictAction
from mmengine.logging import MMLogger

from mmregioncl.engine.config import load_config
from mmregioncl.evaluation import (class_folder, extract_features,
                                   knn_accuracy, load_model, view_size)


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


def check_classes(train: str, test: str) -> None:
    """Labels count the folders: they have to be the same on both sides."""
    names = [{path.name
              for path in Path(root).glob('*') if path.is_dir()}
             for root in (train, test)]
    if not all(names):
        raise SystemExit(f'{train if names[1] else test} holds no folders: '
                         'images belong into one folder for each class')
    odd = sorted(names[0] ^ names[1])
    if odd:
        raise SystemExit(f'{train} and {test} need the same folders, one for '
                         f'each class; these differ: {", ".join(odd)}')


def main() -> None:
    args = parse_args()
    MMLogger.get_instance('knn', log_level='WARNING')  # not each weight's init
    cfg = load_config(args.config, args.cfg_options)
    if args.train:
        check_classes(args.train, args.test)
        size = view_size(cfg)
        cfg.eval_datasets = dict(
            train=class_folder(args.train, size),
            test=class_folder(args.test, size))
    elif 'eval_datasets' not in cfg:
        raise SystemExit(
            f'{args.config} names no eval_datasets: give --train and --test')

    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    model = load_model(cfg, checkpoint)
    (train, train_labels), (test, test_labels) = (
        extract_features(model, cfg.eval_datasets[split], args.batch_size,
                         args.workers) for split in ('train', 'test'))
    for k in args.k:
        accuracy = knn_accuracy(train, train_labels, test, test_labels, k,
                                args.temperature)
        print(f'k-NN accuracy {accuracy:.4f} (k={k}, '
              f'T={args.temperature}, {len(train)} train and {len(test)} test '
              'images)')


if __name__ == '__main__':
    main()
