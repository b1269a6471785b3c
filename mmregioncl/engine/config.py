import inspect
import os
from difflib import get_close_matches
from pathlib import Path
from typing import Iterator, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.runner import Runner

from mmregioncl.datasets.transforms import fast

# What Runner reads of a config besides its own arguments, and our tools
ALSO_READ = ('activation_checkpointing', 'compile', 'efficient_conv_bn_eval',
             'eval_datasets', 'fast_transforms', 'find_unused_parameters',
             'model_wrapper_cfg', 'sync_bn')

# Those of MMEngine, which takes None for them
MMENGINES_HOOKS = ('runtime_info', 'timer', 'sampler_seed', 'logger',
                   'param_scheduler', 'checkpoint')

# Types that this package has under the same name, and whose they are
FASTER = {
    name: getattr(fast, name).__base__.__module__.split('.')[0]
    for name in fast.__all__
}
FASTER['SelfSupDataPreprocessor'] = 'mmselfsup'


def check_lists(cfg: dict, key: str) -> None:
    """Refuse a dotted key that looks for a name in a list."""
    place, path = cfg, []
    for name in key.split('.'):
        if isinstance(place, list):
            if not name.isdigit() or int(name) >= len(place):
                where = '.'.join(path)
                raise ValueError(
                    f'{key} names no entry of {where}, a list of {len(place)}:'
                    f' count them from 0, as in {where}.0')
            place = place[int(name)]
        elif isinstance(place, dict):
            place = place.get(name)
        else:
            return
        path.append(name)


def read_config(path: Union[str, Path]) -> Config:
    """Read a config with a model.

    Raises:
        ValueError: If it is no config of one.
    """
    try:
        cfg = Config.fromfile(path)
    except SyntaxError as error:
        raise ValueError(f'{path} is no Python: {error}') from error
    if not cfg.get('model'):
        raise ValueError(f'{path} has no model: name the config of a run')
    return cfg


def load_config(path: Union[str, Path],
                options: Optional[dict] = None) -> Config:
    """Read a config and override settings of it.

    A hook that is None is left out. ``fast_transforms`` in the config is
    carried out: see :func:`set_transforms`.

    Args:
        path (str or Path): The config file.
        options (dict, optional): Values by dotted keys, such as
            ``{'train_cfg.max_epochs': 100}``. Defaults to None.

    Raises:
        ValueError: If an option has no effect.
    """
    cfg = read_config(path)
    check_options(cfg, options or {})
    cfg.merge_from_dict(options or {})
    hooks = cfg.get('default_hooks') or {}
    for name in [name for name, hook in hooks.items() if hook is None]:
        if name not in MMENGINES_HOOKS:  # those it leaves out itself
            del hooks[name]
    fast = cfg.get('fast_transforms')
    if fast not in (None, True, False):
        raise ValueError(f'fast_transforms={fast!r} has to be True or False')
    if fast is not None:
        set_transforms(cfg, fast)
    return cfg


def check_options(cfg: Config, options: dict) -> None:
    """Refuse what MMEngine would accept without a word.

    Raises:
        ValueError: If a key begins with a name that nothing reads, names no
            entry of a list, or leaves out a hook that is not there.
    """
    known = {*inspect.signature(Runner.__init__).parameters, *ALSO_READ}
    hooks = [*(cfg.get('default_hooks') or {}), *MMENGINES_HOOKS]
    for key, value in options.items():
        name, *rest = key.split('.')
        if name not in known and name in cfg:
            raise ValueError(
                f'{key} has no effect once {cfg.filename} was read: override '
                f'where it is used, such as train_dataloader.dataset.{key}')
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f', did you mean {near[0]}?' if near else ''
            raise ValueError(f'{key} is no setting{hint}')
        check_lists(cfg._cfg_dict, key)
        if name == 'default_hooks' and value is None and len(rest) == 1 and \
                rest[0] not in hooks:
            raise ValueError(f'there is no hook {rest[0]} to leave out: name '
                             f'one of {", ".join(hooks)}')


def set_transforms(cfg: Config, fast: bool) -> None:
    """Take this package's transforms, or mmselfsup's and mmcv's.

    Those that draw the views of training, and the data preprocessor, by their
    names: ``ColorJitter`` becomes ``mmregioncl.ColorJitter``, or the reverse.

    Args:
        cfg (Config): Of pre-training, changed in place.
        fast (bool): Whether to take this package's.
    """
    default = cfg.get('default_scope')
    preprocessor = cfg.get('model', {}).get('data_preprocessor')
    if preprocessor is not None and default == 'mmselfsup':
        preprocessor.setdefault('type', 'SelfSupDataPreprocessor')
    for part in (cfg.get('train_dataloader'), preprocessor):
        for place in typed_dicts(part):
            scope, _, name = place['type'].rpartition('.')
            if name not in FASTER:
                continue
            if fast and (scope or default) in ('mmselfsup', 'mmcv'):
                place['type'] = f'mmregioncl.{name}'
            elif not fast and scope == 'mmregioncl':
                place['type'] = f'{FASTER[name]}.{name}'


def draws_slowly(cfg: Config) -> bool:
    """Whether a pipeline of training has a transform that could be faster."""
    return any(place['type'].rpartition('.')[2] in FASTER
               and not place['type'].startswith('mmregioncl.')
               for place in typed_dicts(cfg.get('train_dataloader')))


def typed_dicts(part) -> Iterator[dict]:
    """All dicts with a type inside nested dicts and lists."""
    if isinstance(part, dict):
        if isinstance(part.get('type'), str):
            yield part
        part = list(part.values())
    if isinstance(part, (list, tuple)):
        for inner in part:
            yield from typed_dicts(inner)


def set_pretrained(cfg: Config, checkpoint: str) -> None:
    """Name the checkpoint that a config fine-tunes.

    Args:
        cfg (Config): With a ``PretrainedHook``, ``default_hooks.pretrained``.
        checkpoint (str): File or address, or 'none' for random weights.

    Raises:
        ValueError: If the config does not fine-tune.
    """
    hook = cfg.get('default_hooks', {}).get('pretrained')
    if hook is None:
        raise ValueError(
            f'{cfg.filename} has no default_hooks.pretrained to take '
            '--pretrained: choose a config of configs/benchmarks, or load '
            'a checkpoint of the same model by --cfg-options load_from=...')
    hook.checkpoint = checkpoint


def checkpoint_name(checkpoint: str) -> str:
    """A name for a checkpoint's runs: ``RUN-epoch_200`` for its path.

    Args:
        checkpoint (str): Path or address.
    """
    path = Path(checkpoint)
    return '-'.join(filter(None, (path.parent.name, path.stem)))


def check_data(cfg: Config, *loaders: str) -> None:
    """Refuse data folders and annotation files that are not there.

    Before anything is built or written. Remote ones are not looked for.

    Args:
        cfg (Config): Of a run.
        *loaders (str): Such as ``train_dataloader``.

    Raises:
        FileNotFoundError: If one is missing.
    """
    for loader in loaders:
        dataset = (cfg.get(loader) or {}).get('dataset')
        for place, part in innermost_configs(f'{loader}.dataset', dataset):
            root = part.get('data_root') or ''
            prefix = part.get('data_prefix') or {}
            names = prefix.values() if isinstance(prefix, dict) else [prefix]
            for name in ('', part.get('ann_file'), *names):
                path = os.path.join(root, name) if name else root
                if path and '://' not in path and not os.path.exists(
                        os.path.expanduser(path)):
                    raise FileNotFoundError(
                        f'{place} reads {path}, which is not there: link the '
                        f'data there, or set {place}.data_root')


def innermost_configs(place: str, dataset) -> Iterator[Tuple[str, dict]]:
    """Data sets inside wrappers, with their dotted keys."""
    if not isinstance(dataset, dict):
        return
    if 'datasets' in dataset:
        for number, part in enumerate(dataset['datasets']):
            yield from innermost_configs(f'{place}.datasets.{number}', part)
    elif 'dataset' in dataset:
        yield from innermost_configs(f'{place}.dataset', dataset['dataset'])
    else:
        yield place, dataset
