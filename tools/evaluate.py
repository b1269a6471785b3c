"""Evaluate a checkpoint with several protocols and write a report."""
import argparse
import math
import sys
from pathlib import Path
from typing import List

from arguments import add_cfg_options

EPILOG = """\
protocols:
  knn       k-NN                                   --k, --temperature
  linear    linear classifiers on features         --learning-rates, --epochs
  svm       one SVM per class, as on VOC07
  low-shot  the same SVMs, trained on a few images --shots
  CONFIG    train a classifier of configs/benchmarks/classification

Results in --out are kept: run it again after an interruption, or with more
protocols.
"""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'config', nargs='?', help='pre-training config of the checkpoint')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint, or "none" for random weights')
    parser.add_argument(
        '--out',
        type=Path,
        required=True,
        help='folder for results.json and report.html')
    parser.add_argument(
        '--protocols',
        nargs='+',
        default=['knn', 'linear'],
        metavar='PROTOCOL',
        help='protocols to run (default: knn linear)')
    parser.add_argument(
        '--compare',
        nargs='+',
        type=Path,
        metavar='DIR',
        help='only write a report that compares these --out folders')
    data = parser.add_argument_group('data (default: eval_datasets of CONFIG)')
    data.add_argument(
        '--train', metavar='DIR', help='train images, in one folder per class')
    data.add_argument(
        '--test', metavar='DIR', help='test images, in the same folders')
    data.add_argument(
        '--data', metavar='CONFIG', help='config with eval_datasets')
    parser.add_argument('--k', type=int, nargs='+', default=[20, 200])
    parser.add_argument(
        '--temperature', type=float, nargs='+', default=[0.1, 0.07])
    parser.add_argument(
        '--learning-rates',
        type=float,
        nargs='+',
        help='of linear (default: 8 rates from 0.01 to 30)')
    parser.add_argument(
        '--epochs',
        type=int,
        default=100,
        help='epochs of linear (default: 100)')
    parser.add_argument(
        '--shots',
        type=int,
        nargs='+',
        help='images of a class for low-shot (default: 1 2 4 8 16 32 64 96)')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=128,
        help='images per batch of feature extraction (default: 128)')
    parser.add_argument(
        '--workers',
        type=int,
        default=2,
        help='processes that load images (default: 2)')
    parser.add_argument('--seed', type=int, default=0)
    add_cfg_options(parser)
    args = parser.parse_args()
    if not args.compare and not (args.config and args.checkpoint):
        parser.error('give CONFIG and CHECKPOINT, or --compare')
    if bool(args.train) != bool(args.test):
        parser.error('--train and --test go together')
    for name, lowest in dict(
            epochs=1, batch_size=1, workers=0, seed=0).items():
        if getattr(args, name) < lowest:
            option = name.replace('_', '-')
            parser.error(f'--{option} must be at least {lowest}')
    if args.seed >= 2**32:
        parser.error('--seed must be below 2**32')
    if min(args.k) < 1:
        parser.error('--k must be at least 1')
    if not all(0 < one < math.inf for one in args.temperature):
        parser.error('--temperature must be above 0')
    if min(args.shots or [1]) < 1:
        parser.error('--shots must be at least 1')
    if not all(0 < rate < math.inf for rate in args.learning_rates or ()):
        parser.error('--learning-rates must be above 0')
    return args


def evaluate(args: argparse.Namespace) -> List[str]:
    """Run the protocols and return those that failed."""
    from mmregioncl.engine.classifier import train_classifier
    from mmregioncl.engine.config import (check_data, load_config, read_file,
                                          set_pretrained)
    from mmregioncl.evaluation import check_class_folders, eval_dataset
    from mmregioncl.evaluation.protocols import FEATURE_PROTOCOLS, RATES
    from mmregioncl.evaluation.run import EvaluationRun
    from mmregioncl.visualization import draw_run

    for protocol in args.protocols:
        if protocol not in FEATURE_PROTOCOLS and not Path(protocol).is_file():
            raise ValueError(
                f'there is no protocol {protocol}, and no such file: use '
                f'{", ".join(FEATURE_PROTOCOLS)} or a config of '
                'configs/benchmarks/classification')
    cfg = load_config(args.config, args.cfg_options)
    if args.data:
        given = read_file(args.data).get('eval_datasets')
        if not given:
            raise ValueError(f'{args.data} has no eval_datasets: use a '
                             'config that has them')
        cfg.eval_datasets = given
    if args.train:
        check_class_folders(args.train, args.test)
        cfg.eval_datasets = {
            split: eval_dataset(cfg, split, getattr(args, split))
            for split in ('train', 'test')
        }
    if set(args.protocols) & FEATURE_PROTOCOLS.keys():
        check_data(cfg, 'eval_datasets')
        for split in ('train', 'test'):  # before the folder is made
            eval_dataset(cfg, split)
    recipes = {
        name: load_config(name)
        for name in args.protocols if name not in FEATURE_PROTOCOLS
    }
    for recipe in recipes.values():
        set_pretrained(recipe, 'none')
    checkpoint = None if args.checkpoint == 'none' else args.checkpoint
    run = EvaluationRun(cfg, checkpoint, args.out, args.batch_size,
                        args.workers, args.seed)
    settings = dict(
        knn=dict(k=args.k, temperature=args.temperature),
        linear=dict(rates=args.learning_rates or RATES, epochs=args.epochs))
    if args.shots:
        settings['low-shot'] = dict(shots=args.shots)
    failed = []
    for name in args.protocols:
        if name in FEATURE_PROTOCOLS:
            finished = run.add(name, FEATURE_PROTOCOLS[name],
                               **settings.get(name, {}))
        else:
            finished = train_classifier(run, recipes[name])
        if not finished:
            failed.append(name)
    draw_run(run)
    return failed


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.visualization import write_report

    start_tool('evaluate', 'INFO')
    report = args.out / 'report.html'
    try:
        failed = [] if args.compare else evaluate(args)
        write_report(report, args.compare or [args.out])
    except KeyboardInterrupt:
        sys.exit('interrupted: run it again to finish')
    print(f'report: {report}')
    if failed:
        sys.exit(f'{", ".join(failed)} failed: correct what the warnings '
                 'above name, and run it again')


if __name__ == '__main__':
    main()
