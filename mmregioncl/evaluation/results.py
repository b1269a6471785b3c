"""The results file of an evaluation: reading, checking, describing."""
import hashlib
import json
import math
import platform
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from tempfile import TemporaryFile
from typing import Dict, Optional

import torch
from mmengine.config import Config
from mmengine.device import get_device

from mmregioncl import STACKS, host
from mmregioncl.transfer import read_weights

PACKAGES = ('mmregioncl', *chain(*STACKS[host.NAME]), 'torchvision', 'numpy',
            'scikit-learn')


def read_results(path: Path) -> dict:
    """Read and check a ``results.json``.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        results = json.loads(path.read_text())
        run = results['run']
        complete = run.keys() >= {
            'name', 'checkpoint', 'sha256', 'config', 'seed', 'date', 'commit',
            'device', 'versions'
        } and isinstance(run['versions'], dict)
        for result in results['protocols'].values():
            result.setdefault('data', {})  # written by an earlier version
            complete &= isinstance(result['data'], dict)
            complete &= isinstance(result.get('failed', ''), str)
            complete &= result.keys() >= {
                'settings', 'seconds', 'date', 'commit', 'numbers',
                'how' if 'error' not in result else 'error'
            }
            numbers = [
                *result['numbers'].values(),
                *result.get('spread', {}).values()
            ]
            complete &= all(
                isinstance(number, (int, float)) and math.isfinite(number)
                for number in numbers)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        complete = False
    if not complete:
        raise ValueError(
            f'{path} is damaged: remove it, or use another folder')
    return results


def check_folder(folder: Path) -> None:
    """Check that a folder is writable before any work is done.

    Raises:
        ValueError: If it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f'{folder} cannot be written to '
            f'({error.strerror}): choose another folder with --out') from error


def describe_run(cfg: Config, checkpoint: Optional[str], seed: int) -> dict:
    """Describe everything that a result depends on.

    Args:
        cfg (Config): Config of the model and the data.
        checkpoint (str, optional): Checkpoint; None for random weights.
        seed (int): Seed of the evaluation.

    Returns:
        dict: ``run`` of ``results.json``.
    """
    return dict(
        name=Path(cfg.filename or 'config').stem,
        checkpoint=str(checkpoint),
        sha256=checksum(checkpoint),
        config=cfg.pretty_text,
        seed=seed,
        date=time.strftime('%Y-%m-%d %H:%M'),
        commit=commit(),
        device=device_name(),
        host=host.NAME,
        versions=versions())


def checksum(checkpoint: Optional[str]) -> str:
    """SHA-256 of a file, or of the weights at an address."""
    if checkpoint is None:
        return 'random weights'
    digest = hashlib.sha256()
    if '://' in checkpoint:
        for name, value in sorted(read_weights(checkpoint).items()):
            values = value.flatten().view(torch.uint8).numpy()
            digest.update(name.encode() + values.tobytes())
        return digest.hexdigest()
    with open(checkpoint, 'rb') as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def commit() -> Optional[str]:
    """Commit of this package; None if it is not in a checkout."""
    folder = Path(__file__).parent
    try:
        git = subprocess.run(['git', 'describe', '--always', '--dirty'],
                             cwd=folder,
                             capture_output=True,
                             text=True)
        tracked = subprocess.run(
            ['git', 'ls-files', '--error-unmatch', __file__],
            cwd=folder,
            capture_output=True)
    except OSError:  # git is not installed
        return None
    return git.stdout.strip() if tracked.returncode == 0 else None


def device_name() -> str:
    if get_device() == 'cuda':
        return torch.cuda.get_device_name()
    return f'{get_device()}, {platform.machine()}'


def versions() -> Dict[str, str]:
    """Versions of Python and of the packages that affect results."""
    found = dict(python=platform.python_version())
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found
