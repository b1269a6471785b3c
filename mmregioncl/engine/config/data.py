"""Check that the data of a config exist."""
from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config

from mmregioncl.datasets.archives import address, is_missing
from mmregioncl.datasets.image_folder import join
from mmregioncl.datasets.nested import innermost_items, type_name
from mmregioncl.files import ARCHIVE

# Data sets of the hosts that mistake a path into an archive for a folder
FOLDERS = ('CustomDataset', 'ImageNet', 'ImageNet21k')

# Their settings that name files
DATA = ('ann_file', 'data_prefix', 'data_root')


def check_data(cfg: Config, *settings: str) -> None:
    """Check that data folders and annotation files exist.

    No data set is built. Remote files, and files that a data set downloads,
    are not checked.

    Args:
        cfg (Config): Config of a run.
        *settings (str): Names of data loaders, such as 'train_dataloader', or
            of dicts of data sets, such as 'eval_datasets'.

    Raises:
        FileNotFoundError: If a folder or file is missing.
        ValueError: If a data root is not valid UTF-8, or is an archive that
            the data set cannot read.
    """
    for setting in filter(cfg.get, settings):
        given = cfg[setting]
        if setting.endswith('dataloader'):
            given = dict(dataset=given.get('dataset', {}))
        for name, dataset in given.items():
            if isinstance(dataset, str):  # a folder with one per class
                if is_missing(dataset):
                    raise FileNotFoundError(
                        f'{setting}.{name}={dataset} does not exist: correct '
                        'the path, or link the data there')
                continue
            for key, part in innermost_items(f'{setting}.{name}', dataset):
                if not part.get('download'):
                    check_files(key, part)


def check_files(key: str, part: dict) -> None:
    """Check the files of one data set, whose config is at `key`."""
    root = part.get('data_root') or ''
    if not isinstance(root, (str, Path)):
        raise ValueError(
            f'{key}.data_root={root} is not a path: for several folders, set '
            f'{key}.type to ConcatDataset, with datasets')
    root = str(root)
    if root != root.encode(errors='replace').decode():
        raise ValueError(f'{key}.data_root={root!r} is not valid UTF-8, as '
                         'configs have to be: use a link with a valid name')
    kind = type_name(part)
    if kind in FOLDERS and address(root) == f'{ARCHIVE}{root}':
        raise ValueError(f'{kind} treats {key}.data_root={root!r} as a folder'
                         f': write {ARCHIVE}{root}')
    prefix = part.get('data_prefix') or {}
    names = prefix.values() if isinstance(prefix, dict) else [prefix]
    for name in ('', part.get('ann_file'), *names):
        path = join(root, name) if name else root
        if path and is_missing(path):
            wrong = [
                f'{name} ({near}?)' for name in part.keys() - {*DATA}
                for near in get_close_matches(name, DATA, 1, 0.8)
            ]
            remedy = f'correct the name of {wrong[0]}' if wrong else \
                f'link the data there, or set {key}.data_root'
            raise FileNotFoundError(
                f'{key} reads {path}, which does not exist: {remedy}')
