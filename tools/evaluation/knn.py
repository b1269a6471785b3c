"""k-NN accuracy of a backbone: ``knn.py CONFIG CHECKPOINT``."""
import argparse

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='k-NN accuracy of the backbone of a checkpoint')
    parser.add_argument('config', help='pre-training config of the checkpoint')
    parser.add_argument(
        'checkpoint', help='checkpoint, or "none" for random weights')
    parser.add_argument(
        '--train',
        metavar='DIR',
        help='train images, in one folder per class '
        '(default: eval_datasets of the config)')
    parser.add_argument(
        '--test', metavar='DIR', help='test images, in the same folders')
    parser.add_argument('--k', type=int, nargs='+', default=[20])
    parser.add_argument('--temperature', type=float, default=0.1)
    parser.add_argument('--batch-size', type=int, default=128)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE')
    args = parser.parse_args()
    if bool(args.train) != bool(args.test):
        parser.error('--train and --test go together')
    if args.batch_size < 1:
        parser.error('--batch-size must be at least 1')
    if args.workers < 0:
        parser.error('--workers must be at least 0')
    return args


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.engine.config import check_data, load_config
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.evaluation import (accuracy, check_class_folders,
                                       eval_dataset, extract_features,
                                       knn_predict, load_model,
                                       warn_of_one_class)

    start_tool('knn')
    cfg = load_config(args.config, args.cfg_options)
    if args.train:
        check_class_folders(args.train, args.test)
    else:
        check_data(cfg, 'eval_datasets')
    sets = [
        eval_dataset(cfg, split, getattr(args, split))
        for split in ('train', 'test')
    ]
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    model = load_model(cfg, checkpoint)
    (train, train_labels), (test, test_labels) = (
        extract_features(model, dataset, args.batch_size, args.workers)
        for dataset in sets)
    warn_of_one_class(train_labels, 'k-NN')
    found = knn_predict(train, train_labels, test, args.k, [args.temperature])
    for (k, temperature), labels in found.items():
        share = accuracy(labels, test_labels)
        print(f'k-NN accuracy {share:.4f} (k={k}, T={temperature}, '
              f'{len(train)} train and {len(test)} test images)')


if __name__ == '__main__':
    main()
