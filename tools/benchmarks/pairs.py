"""Compare methods with their baselines, seed by seed.

    pairs.py DIR BASELINE:METHOD...

DIR holds results of evaluate.py in folders named NAME-seedN, such as those of
learning_region_share.sh. Prints a Markdown table for each number, with
accuracies in %, their differences in points, and means of the differences with
standard errors.
"""
import argparse
import math
import re
import statistics
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

from mmregioncl.evaluation.results import read_results

NUMBERS = ('knn: top-1, k=20, T=0.1', 'knn: top-1, k=200, T=0.1',
           'linear: top-1, best learning rate')


def read_runs(folder: Path) -> Dict[str, Dict[int, Dict[str, float]]]:
    """Accuracies in % by name of the run, seed, and protocol and number."""
    runs: Dict[str, Dict[int, Dict[str, float]]] = {}
    for path in sorted(folder.glob('*/results.json')):
        found = re.fullmatch(r'(.+)-seed(\d+)', path.parent.name)
        if found:
            runs.setdefault(found[1], {})[int(found[2])] = {
                f'{protocol}: {what}': 100 * number
                for protocol, result in read_results(path)
                ['protocols'].items()
                for what, number in result['numbers'].items()
            }
    return runs


def mean_and_error(values: Sequence[float]) -> str:
    """Mean and its standard error, such as '+1.0 ± 0.4'."""
    text = f'{statistics.mean(values):+.2f}'
    if len(values) > 1:
        error = statistics.stdev(values) / math.sqrt(len(values))
        text += f' ± {error:.2f}'
    return text


def table(runs: Dict[str, Dict[int, Dict[str, float]]], pairs: List[List[str]],
          name: str) -> Iterator[str]:
    """Yield the lines of the table of a number.

    Args:
        runs (dict): From :func:`read_runs`.
        pairs (list[list[str]]): Names of a baseline and a method each.
        name (str): Protocol and number, such as 'knn: top-1, k=20, T=0.1'.

    Raises:
        ValueError: If a pair has no common seed, or a run has no such number.
    """
    yield '| baseline, method | seed | baseline | method | difference |'
    yield '|---|---|---|---|---|'
    every: List[float] = []
    for baseline, method in pairs:
        title = f'{baseline}, {method}'
        before, after = runs.get(baseline, {}), runs.get(method, {})
        seeds = sorted(before.keys() & after.keys())
        if not seeds:
            raise ValueError(f'{title} have no common seed: choose from '
                             f'{", ".join(runs)}')
        differences = []
        for seed in seeds:
            if name not in before[seed] or name not in after[seed]:
                raise ValueError(f'{title}, seed {seed}: {name} is missing, '
                                 'evaluate both')
            old, new = before[seed][name], after[seed][name]
            differences.append(new - old)
            yield f'| {title} | {seed} | {old:.2f} | {new:.2f} | ' \
                f'{new - old:+.2f} |'
        yield f'| {title} | mean | | | {mean_and_error(differences)} |'
        every += differences
    if len(pairs) > 1:
        yield f'| {len(every)} differences | mean | | | ' \
            f'{mean_and_error(every)} |'


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=Path, metavar='DIR')
    parser.add_argument('pairs', nargs='+', metavar='BASELINE:METHOD')
    parser.add_argument(
        '--numbers',
        nargs='+',
        default=NUMBERS,
        metavar='"PROTOCOL: NUMBER"',
        help=f'numbers of results.json (default: {"; ".join(NUMBERS)})')
    args = parser.parse_args()
    pairs = [pair.split(':') for pair in args.pairs]
    if any(len(pair) != 2 for pair in pairs):
        parser.error('pairs are written as BASELINE:METHOD')
    try:
        runs = read_runs(args.folder)
        for name in args.numbers:
            print(f'\n{name}\n', *table(runs, pairs, name), sep='\n')
    except ValueError as error:
        sys.exit(str(error))


if __name__ == '__main__':
    main()
