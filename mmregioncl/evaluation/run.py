"""The evaluation of one checkpoint, with its results file."""
import json
import logging
import time
import traceback
from functools import cached_property
from pathlib import Path
from typing import Callable, Dict, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, init_default_scope
from torch import Tensor

from mmregioncl import host
from mmregioncl.causes import EVALUATION, describe_error
from mmregioncl.files import atomic_write, check_exists, locked, write_json
from .data import describe_dataset, eval_dataset
from .features import check_finite, extract_features
from .model import load_model
from .results import check_folder, commit, describe_run, read_results

IDENTITY = dict(config='config', sha256='checkpoint', seed='seed')
MINUTE = '%Y-%m-%d %H:%M'
PICTURE_SPLITS = {  # whose features pictures show
    'composites.png': (),
    'features.png': ('test', ),
    'neighbours.png': ('train', 'test')
}


class EvaluationRun:
    """The evaluation of a checkpoint in a folder.

    Each protocol runs once: ``results.json`` is written after each protocol,
    and later calls keep its content. Features are saved, too, and shared by
    all protocols.

    Args:
        cfg (Config): A pre-training config with ``eval_datasets``.
        checkpoint (str, optional): Checkpoint; None for random weights.
        out (str or Path): Folder of the results.
        batch_size (int): Images per batch of feature extraction. Defaults to
            128.
        workers (int): Worker processes that load images. Defaults to 2.
        seed (int): Seed of all random numbers. Defaults to 0.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
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
        self.checkpoint = checkpoint and check_exists(
            checkpoint, optional=True)
        self.out = Path(out)
        self.batch_size = batch_size
        self.workers = workers
        self.seed = seed
        self.datasets: Dict[str, BaseDataset] = {}
        self.descriptions: Dict[str, dict] = {}  # of the data sets
        self.data: Dict[str, dict] = {}  # used by a protocol
        self.results = self.open()

    def open(self) -> dict:
        """Read the results of an earlier call, or create the file."""
        path = self.out / 'results.json'
        run = describe_run(self.cfg, self.checkpoint, self.seed)
        self.identity = {key: run[key] for key in IDENTITY}
        check_folder(self.out)
        with locked(self.out):  # another process may start, too
            if not path.exists():
                # A checkpoint that does not fit creates no results file.
                self.model.eval()
                results = dict(run=run, protocols={})
                for name in (*PICTURE_SPLITS, 'curves.json'):  # of another run
                    (self.out / name).unlink(missing_ok=True)
                write_json(path, results)
                return results
        results = read_results(path)
        for key, name in IDENTITY.items():
            if results['run'][key] != run[key]:
                raise ValueError(
                    f'{path} has results of another {name}: choose another '
                    'folder with --out')
        return results

    def write(self, name: str) -> None:
        """Write the results, merged with other processes' results."""
        path = self.out / 'results.json'
        with locked(self.out):
            others = json.loads(path.read_text())['protocols']
            mine = {name: self.results['protocols'][name]}
            self.results['protocols'] = {**others, **mine}
            write_json(path, self.results)

    @cached_property
    def model(self) -> BaseModel:
        """The model in eval mode, with the backbone of the checkpoint."""
        torch.manual_seed(self.seed)  # of random weights
        return load_model(self.cfg, self.checkpoint)

    def features(self, split: str) -> Tuple[Tensor, Tensor]:
        """Features and labels of a split, computed once.

        Args:
            split (str): 'train' or 'test'.

        Returns:
            tuple[Tensor, Tensor]: As from :func:`extract_features`.

        Raises:
            ValueError: If features are NaN or inf, or a label is missing.
        """
        path = self.out / f'features-{split}.pt'
        self.data[split] = self.describe(split)
        saved = self.saved_features(split)
        if saved is None:
            saved = extract_features(self.model, self.dataset(split),
                                     self.batch_size, self.workers)
            with locked(self.out), atomic_write(path) as part:
                torch.save((*saved, self.identity, self.data[split]), part)
        features, labels = saved
        return check_finite(features), labels

    def saved_features(self, split: str) -> Optional[Tuple[Tensor, Tensor]]:
        """Features and labels that were saved, if they are still valid.

        If they are not, the pictures of them are removed.
        """
        path = self.out / f'features-{split}.pt'
        saved = read_features(path, self.identity, self.describe(split))
        if saved is None:
            for picture, splits in PICTURE_SPLITS.items():
                if split in splits:
                    (self.out / picture).unlink(missing_ok=True)
        return saved

    def describe(self, split: str) -> dict:
        """Size and content of the data set of a split, read once."""
        if split not in self.descriptions:
            self.descriptions[split] = describe_dataset(self.dataset(split))
        return self.descriptions[split]

    def dataset(self, split: str) -> BaseDataset:
        """The data set of a split, built once."""
        if split not in self.datasets:
            init_default_scope(host.scope_of(self.cfg))
            self.datasets[split] = DATASETS.build(
                eval_dataset(self.cfg, split))
        return self.datasets[split]

    def add(self,
            name: str,
            protocol: Callable[..., dict],
            describe: Optional[Callable[[], Dict[str, dict]]] = None,
            **settings) -> bool:
        """Run a protocol unless it has results.

        Args:
            name (str): Name of the protocol.
            protocol (Callable): Accepts this run and the settings, and returns
                a dict with ``numbers``, shares by their names, and ``how``, a
                sentence on how they were obtained.
            describe (Callable, optional): Returns the results of
                :func:`describe_dataset` for its data sets, by split, which
                are :attr:`data` while it runs. Defaults to None, the data
                sets of which it takes features. If they have changed, it is
                run again.
            **settings: Arguments of the protocol. If they have changed, it is
                run again.

        Returns:
            bool: Whether it has results now.
        """
        settings = json.loads(json.dumps(settings))  # as they will be read
        done = self.results['protocols']
        before = done.get(name, dict(error='not done'))
        start, self.data = time.time(), {}
        try:
            if describe:
                self.data = describe()
            if 'error' not in before:
                now = self.data or {
                    s: self.describe(s)
                    for s in before['data']
                }
                if (before['settings'], before['data']) == (settings, now):
                    print_log(f'{name}: finished before', 'current')
                    if before.pop('failed', None):  # with other settings
                        self.write(name)
                    return True
                print_log(f'{name}: run again, with other settings or images',
                          'current')
            self.model.eval()
            done[name] = protocol(self, **settings)
        except Exception as error:  # others may still work
            told = report_failure(name, error)
            if 'error' not in before:
                print_log(f'{name}: earlier numbers are kept', 'current')
                before['failed'] = f'{told} ({time.strftime(MINUTE)})'
                self.write(name)
                return False
            done[name] = dict(error=told, numbers={})
        done[name].update(
            data=self.data,
            settings=settings,
            seconds=round(time.time() - start, 1),
            date=time.strftime(MINUTE),
            commit=commit())
        self.write(name)
        for what, number in done[name]['numbers'].items():
            print_log(f'{name}: {number:.4f} {what}', 'current')
        return 'error' not in done[name]


def report_failure(what: str, error: Exception) -> str:
    """Warn that a part of an evaluation failed, and let go of its loaders.

    The warning has a traceback unless the error, or its cause, is known.

    Args:
        what (str): Beginning of the warning, such as a protocol's name.
        error (Exception): The error, while it is handled.

    Returns:
        str: What went wrong, in one line.
    """
    told = describe_error(error, EVALUATION)
    trace = '' if told else f'\n{traceback.format_exc()}'
    if told is None:
        text = f'{type(error).__name__}: {error}'.strip(': \n')
        # That of a worker ends with its error.
        of_worker = str(error).startswith('Caught ')
        told = text.splitlines()[-1 if of_worker else 0]
    print_log(f'{what}: {told}{trace}', 'current', logging.WARNING)
    # A loader that is still referenced would end in the workers of the next
    # one, with an error.
    traceback.clear_frames(error.__traceback__)
    return told


def read_features(path: Path, identity: dict,
                  data: dict) -> Optional[Tuple[Tensor, Tensor]]:
    """Read saved features and labels if they are of this run and data set.

    Args:
        path (Path): File of the features, which may not exist.
        identity (dict): Checkpoint, config and seed of the run.
        data (dict): Result of :func:`describe_dataset`.

    Returns:
        tuple[Tensor, Tensor] or None: Features and labels.
    """
    if not path.exists():
        return None
    try:
        features, labels, *saved = torch.load(
            path, mmap=True, weights_only=True)
    except Exception:  # a damaged file may raise anything: compute again
        return None
    return (features, labels) if saved == [identity, data] else None
