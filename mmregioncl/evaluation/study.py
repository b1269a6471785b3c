"""One checkpoint under evaluation: what is known of it, and its results."""
import hashlib
import json
import logging
import math
import platform
import subprocess
import time
import traceback
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Callable, Dict, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmengine.logging import print_log
from mmengine.registry import DATASETS
from torch import Tensor, nn

from mmregioncl.files import whole_file, write_json
from mmregioncl.transfer import backbone_weights, load_backbone, read_weights
from .features import (check_finite, eval_dataset, extract_features,
                       fingerprint, load_model)

PACKAGES = ('mmregioncl', 'torch', 'torchvision', 'mmengine', 'mmcv',
            'mmcv-lite', 'mmselfsup', 'mmcls', 'numpy', 'scikit-learn')


class Study:
    """Results of a checkpoint in a folder, each of them made once.

    ``results.json`` is written anew after each protocol, and what stands there
    already is not made again. So are features, which all protocols share.

    Args:
        cfg (Config): A pre-training config, with ``eval_datasets``.
        checkpoint (str, optional): Its weights; None for random ones.
        out (str or Path): Folder of the results.
        batch_size (int): Of images whose features are made. Defaults to 128.
        workers (int): That load them. Defaults to 2.
        seed (int): Of everything that is drawn. Defaults to 0.

    Raises:
        ValueError: If the folder holds results of another checkpoint, config
            or seed.
    """

    def __init__(self,
                 cfg: Config,
                 checkpoint: Optional[str],
                 out: Path,
                 batch_size: int = 128,
                 workers: int = 2,
                 seed: int = 0) -> None:
        self.cfg = cfg
        self.checkpoint = checkpoint
        self.out = Path(out)
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.datasets: Dict[str, BaseDataset] = {}
        self.fingerprints: Dict[str, dict] = {}  # of them
        self.data: Dict[str, dict] = {}  # what a protocol looked at
        self.results = self.open()

    def open(self) -> dict:
        """Results of an earlier call, or none yet."""
        path = self.out / 'results.json'
        run = describe(self.cfg, self.checkpoint, self.seed)
        check_folder(self.out)
        if not path.exists():
            results = dict(run=run, protocols={})
            write_json(path, results)
            return results
        results = read_results(path)
        words = dict(config='config', sha256='checkpoint', seed='seed')
        for name, word in words.items():
            if results['run'][name] != run[name]:
                raise ValueError(
                    f'{path} holds results of another {word}: give another '
                    'folder by --out')
        return results

    def write(self, name: str) -> None:
        """Results on disk, with those that other calls have added."""
        path = self.out / 'results.json'
        others = json.loads(path.read_text())['protocols']
        mine = {name: self.results['protocols'][name]}
        self.results['protocols'] = {**others, **mine}
        write_json(path, self.results)

    @cached_property
    def model(self) -> nn.Module:
        """The model, in eval mode; of its weights, the backbone's count."""
        torch.manual_seed(self.seed)  # of random weights
        model = load_model(self.cfg)
        if self.checkpoint is not None:
            load_backbone(model,
                          backbone_weights(read_weights(self.checkpoint)))
        return model

    def features(self, split: str) -> Tuple[Tensor, Tensor]:
        """Features and labels of a split, of an earlier call if there was one.

        Args:
            split (str): 'train' or 'test'.
        """
        path = self.out / f'features-{split}.pt'
        dataset = self.dataset(split)
        if split not in self.fingerprints:
            self.fingerprints[split] = fingerprint(dataset)
        self.data[split] = self.fingerprints[split]
        made = read_features(path, self.data[split])
        if made is None:
            features = extract_features(self.model, dataset, self.batch_size,
                                        self.workers)
            with whole_file(path) as part:
                torch.save((*features, self.data[split]), part)
            made = read_features(path, self.data[split])
        features, labels = made
        return check_finite(features), labels

    def dataset(self, split: str) -> BaseDataset:
        """The images of a split."""
        if split not in self.datasets:
            self.datasets[split] = DATASETS.build(
                eval_dataset(self.cfg, split))
        return self.datasets[split]

    def add(self, name: str, protocol: Callable[..., dict],
            **settings) -> bool:
        """Results of a protocol, unless they are there.

        Args:
            name (str): Of the protocol.
            protocol (Callable): Makes of this study a dict with ``numbers``,
                shares by what they are, and ``how``, a sentence.
            **settings: Of the protocol; with others it is done anew.

        Returns:
            bool: Whether they are there now.
        """
        settings = json.loads(json.dumps(settings))  # as they will be read
        done = self.results['protocols']
        before = done.get(name, dict(error='not done'))
        if 'error' not in before:
            if before['settings'] == settings:
                print_log(f'{name}: finished before', 'current')
                return True
            print_log(f'{name}: done anew, with other settings', 'current')
        self.model.eval()  # built now: without it, nothing can be done
        start = time.time()
        self.data = {}
        try:
            done[name] = protocol(self, **settings)
        except Exception as error:  # the other protocols can do without
            kind = '' if isinstance(error, (ValueError, OSError)) else \
                f'{type(error).__name__}: '
            print_log(f'{name}: {kind}{error}', 'current', logging.WARNING)
            if kind:
                print_log(traceback.format_exc(), 'current', logging.WARNING)
            if 'error' not in before:
                print_log(f'{name}: its earlier numbers stay', 'current')
                return False
            done[name] = dict(error=f'{kind}{error}', numbers={})
        done[name].update(
            data=self.data,
            settings=settings,
            seconds=round(time.time() - start, 1),
            date=time.strftime('%Y-%m-%d %H:%M'),
            commit=commit())
        self.write(name)
        for what, number in done[name]['numbers'].items():
            print_log(f'{name}: {number:.4f} {what}', 'current')
        return 'error' not in done[name]


def read_features(path: Path, data: dict) -> Optional[Tuple[Tensor, Tensor]]:
    """Features and labels of an earlier call, if they are of this data.

    Args:
        path (Path): Where they may lie.
        data (dict): Fingerprint of the data set.
    """
    if not path.exists():
        return None
    try:
        features, labels, of = torch.load(path, mmap=True)
    except Exception:  # a damaged file may raise anything: it is made anew
        return None
    return (features, labels) if of == data else None


def read_results(path: Path) -> dict:
    """What a ``results.json`` holds.

    Raises:
        ValueError: If it is damaged.
    """
    try:
        results = json.loads(path.read_text())
        run = results['run']
        whole = run.keys() >= {
            'name', 'checkpoint', 'sha256', 'config', 'seed', 'date', 'commit',
            'device', 'versions'
        } and isinstance(run['versions'], dict)
        for result in results['protocols'].values():
            result.setdefault('data', {})  # of an earlier version
            whole &= result.keys() >= {
                'settings', 'seconds', 'date', 'commit', 'numbers',
                'how' if 'error' not in result else 'error'
            }
            numbers = [
                *result['numbers'].values(),
                *result.get('spread', {}).values()
            ]
            whole &= all(
                isinstance(number, (int, float)) and math.isfinite(number)
                for number in numbers)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ValueError(
            f'{path} is damaged: remove it, or take another folder')
    return results


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written to, before work is done for it.

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
            f'({error.strerror}): give another folder by --out') from error


def describe(cfg: Config, checkpoint: Optional[str], seed: int) -> dict:
    """What a result depends on.

    Args:
        cfg (Config): Of the model and the data.
        checkpoint (str, optional): Its weights.
        seed (int): Of the evaluation.
    """
    digest = 'random weights'
    if checkpoint is not None:
        if not Path(checkpoint).is_file():
            raise FileNotFoundError(f'there is no checkpoint {checkpoint}: '
                                    'name a file, or "none"')
        checksum = hashlib.sha256()
        with open(checkpoint, 'rb') as file:
            while part := file.read(2**20):
                checksum.update(part)
        digest = checksum.hexdigest()
    return dict(
        name=Path(cfg.filename or 'config').stem,
        checkpoint=str(checkpoint),
        sha256=digest,
        config=cfg.pretty_text,
        seed=seed,
        date=time.strftime('%Y-%m-%d %H:%M'),
        commit=commit(),
        device=device_name(),
        versions=versions())


def commit() -> Optional[str]:
    """Of the checkout that this package runs from, None if it is none."""
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
    except OSError:  # no git here
        return None
    return git.stdout.strip() if tracked.returncode == 0 else None


def device_name() -> str:
    if get_device() == 'cuda':
        return torch.cuda.get_device_name()
    return f'{get_device()}, {platform.machine()}'


def versions() -> Dict[str, str]:
    """Of Python and what matters here."""
    found = dict(python=platform.python_version())
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            pass
    return found
