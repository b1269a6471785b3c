"""What the benchmarks share: interleaved times, and tables of them."""
import argparse
import os
import platform
import statistics
import sys
import time
from copy import deepcopy
from datetime import date
from importlib.metadata import distributions, version
from pathlib import Path
from typing import Callable, Dict, List, Sequence

import torch

from mmregioncl.datasets.nested import typed_dicts


def processor() -> str:
    """The name that the processor reports."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [
        line.split(':')[1].strip() for line in lines if 'model name' in line
    ]
    return names[0] if names else platform.processor()


def at_least(least: int) -> Callable[[str], int]:
    """A type of arguments: whole numbers from `least` on."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(
                f'{value} is not a number from {least} on')
        return value

    return number


def pairs(text: str) -> int:
    """A type of arguments: batches of images that swap regions in pairs."""
    value = at_least(2)(text)
    if value % 2:
        raise argparse.ArgumentTypeError(f'{value} is not an even number')
    return value


def image_size(text: str) -> int:
    """A type of arguments: sides of images of 2x2 cells or more."""
    value = int(text)
    if value < 64 or value % 32:
        raise argparse.ArgumentTypeError(
            f'{value} is not a multiple of 32 from 64 on')
    return value


def upstream(pipeline: list) -> list:
    """A pipeline with mmselfsup's and mmcv's transforms instead of ours."""
    pipeline = deepcopy(pipeline)
    for step in typed_dicts(pipeline):
        name = step['type'].removeprefix('mmregioncl.')
        step['type'] = 'LoadImageFromFile' if name == 'LoadImage' else name
    return pipeline


def header(device: str, *packages: str) -> str:
    """When, and with what command, versions and hardware, a table was made.

    Packages that are not installed, or under another name, are left out.
    """
    script = os.path.relpath(sys.argv[0])
    known = {dist.name for dist in distributions()}
    versions = ', '.join(f'{name} {version(name)}'
                         for name in ('torch', *packages) if name in known)
    hardware = torch.cuda.get_device_name() if device == 'cuda' else (
        f'{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} '
        'threads')
    return (f'{date.today()}  python {" ".join([script, *sys.argv[1:]])}\n'
            f'{versions}, python {platform.python_version()}\n{hardware}\n')


def seconds(step: Callable[[], object], device: str = 'cpu') -> float:
    """Wall time of one call, to the end of its work on the device."""
    if device == 'cuda':
        torch.cuda.synchronize()
    start = time.perf_counter()
    step()
    if device == 'cuda':
        torch.cuda.synchronize()
    return time.perf_counter() - start


def interleave(steps: Dict[str, Callable[[], object]],
               repeats: int,
               device: str = 'cpu') -> Dict[str, List[float]]:
    """Times of each step in turn, after one round that does not count."""
    times: Dict[str, List[float]] = {name: [] for name in steps}
    for _ in range(repeats + 1):
        for name, step in steps.items():
            times[name].append(seconds(step, device))
    return {name: values[1:] for name, values in times.items()}


def ratio(base: Sequence[float], other: Sequence[float]) -> str:
    """Median of the ratios of pairs, base by other, and their range."""
    ratios = [a / b for a, b in zip(base, other)]
    return (f'{statistics.median(ratios):6.2f}  '
            f'({min(ratios):.2f} to {max(ratios):.2f})')
