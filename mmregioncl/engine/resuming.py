"""How far a run was, and what changes when it is resumed."""
import ast
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple

from mmengine.config import Config

from mmregioncl.datasets import Seeded

# Settings of the Runner that affect what is trained
AFFECTING = ('model', 'data_preprocessor', 'train_dataloader', 'optim_wrapper',
             'param_scheduler', 'train_cfg', 'auto_scale_lr', 'randomness',
             'custom_hooks', 'default_hooks', 'custom_imports', 'sync_bn',
             'model_wrapper_cfg', 'efficient_conv_bn_eval')
# Settings inside these that do not
HARMLESS = ('num_workers', 'persistent_workers', 'pin_memory',
            'prefetch_factor', 'val_interval', 'val_begin')
# Default hooks that do not
HARMLESS_HOOKS = ('checkpoint', 'guard', 'health', 'knn', 'linear', 'logger',
                  'pretrained', 'resume', 'runtime_info', 'sampler_seed',
                  'timer', 'visualization')
# What the learning rates and momenta of a run follow from
SCHEDULE = ('optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr')


def read_settings(text: str) -> Dict[str, Any]:
    """Read the config in a checkpoint, without running it.

    Args:
        text (str): ``pretty_text`` of a config.

    Returns:
        dict[str, Any]: Top-level settings. Values other than numbers,
        strings, dicts and lists are kept as their source.
    """
    return {
        statement.targets[0].id: evaluate(statement.value)
        for statement in ast.parse(text).body
        if isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Name)
    }


def evaluate(node: ast.expr) -> Any:
    """Value of an expression of literals and ``dict(...)``."""
    if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'dict':
        mapping = evaluate(node.args[0]) if node.args else {}
        words = {word.arg: evaluate(word.value) for word in node.keywords}
        return {**mapping, **words}
    if isinstance(node, ast.Dict):
        return {
            ast.unparse(key): evaluate(value)
            for key, value in zip(node.keys, node.values) if key is not None
        }
    if isinstance(node, (ast.List, ast.Tuple)):
        return [evaluate(item) for item in node.elts]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def flatten(value: Any, key: str) -> Iterator[Tuple[str, Any]]:
    """Yield all values inside dicts and lists, with their dotted keys."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        yield key, value
        return
    for name, inner in items:
        yield from flatten(inner, f'{key}.{name}')


def affecting(settings: Dict[str, Any]) -> Dict[str, Any]:
    """The settings that affect what is trained, by dotted keys."""
    chosen = {}
    for name in AFFECTING:
        for key, value in flatten(settings.get(name, {}), name):
            parts = key.split('.')
            if parts[-1] in HARMLESS or name == 'default_hooks' and \
                    parts[1] in HARMLESS_HOOKS:
                continue
            chosen[key] = value
    return chosen


def changes(before: str, now: str) -> List[str]:
    """Compare the settings of two configs that affect what is trained.

    Args:
        before (str): ``pretty_text`` of the config in a checkpoint.
        now (str): That of the config of the run.

    Returns:
        list[str]: Such as 'optim_wrapper.optimizer.lr: 0.03 -> 0.06'.
    """
    old, new = (affecting(read_settings(text)) for text in (before, now))
    missing = '(not set)'
    return [
        f'{key}: {old.get(key, missing)} -> {new.get(key, missing)}'
        for key in {
            **old,
            **new
        } if old.get(key, missing) != new.get(key, missing)
    ]


def differences(saved: Optional[str], cfg: Config, before: dict,
                now: dict) -> List[str]:
    """What differs between two runs, as far as it affects training.

    Args:
        saved (str, optional): ``pretty_text`` of the config in the checkpoint.
        cfg (Config): Config of the run.
        before (dict): :func:`progress` of the run of the checkpoint.
        now (dict): That of this run.

    Returns:
        list[str]: As of :func:`changes`.
    """
    try:
        found = changes(saved, cfg.pretty_text)
    except Exception:  # the text may be anything
        return ['its config, which is not known']
    told = {change.partition(':')[0].rpartition('.')[2] for change in found}
    return found + [
        f'{name}: {before[name]} -> {now[name]}'
        for name in ('batch_size', 'world_size', 'images')
        if before[name] != now[name] and name not in told
    ]


def reset_schedule(runner, groups: List[dict]) -> None:
    """Give the optimizer the settings of the config, as of this step.

    The schedulers are built anew and take the steps that they would have
    taken. Those that wait for a metric go on from the checkpoint.

    Args:
        runner (Runner): A run that was resumed, with one optimizer.
        groups (list[dict]): Settings of its parameter groups before the
            checkpoint was loaded.
    """
    known = runner.param_schedulers  # as the checkpoint has left them
    shares = [plateau_shares(part) for part in known or []]
    for group, settings in zip(runner.optim_wrapper.param_groups, groups):
        group.update(settings)
        for key in [key for key in group if key.startswith('initial_')]:
            group[key.removeprefix('initial_')] = group[key]
    if runner.param_schedulers is None:
        return
    runner.param_schedulers = runner.build_param_scheduler(
        runner.cfg.param_scheduler)
    catch_up(runner)
    for scheduler, before, values in zip(runner.param_schedulers, known,
                                         shares):
        if values and type(scheduler) is type(before):
            scheduler.load_state_dict(before.state_dict())
            for group, share in zip(scheduler.optimizer.param_groups, values):
                group[scheduler.param_name] *= share


def catch_up(runner) -> None:
    """Let new schedulers take their steps, but for those of a metric."""
    steady = [
        part for part in runner.param_schedulers
        if not getattr(part, 'need_val_args', False)
    ]
    by_epoch = [part for part in steady if part.by_epoch]
    by_iter = [part for part in steady if not part.by_epoch]
    length = len(runner.train_dataloader)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # steps without one of the optimizer
        epochs = 0
        for step in range(1, runner.iter + 1):
            for scheduler in by_iter:
                scheduler.step()
            if epochs < runner.epoch and step % length == 0:
                epochs += 1
                for scheduler in by_epoch:
                    scheduler.step()
        for scheduler in by_epoch * (runner.epoch - epochs):
            scheduler.step()  # epochs that were longer


def plateau_shares(scheduler) -> List[float]:
    """How far a schedule that waits for a metric has lowered each group.

    Empty for other schedules, whose values follow from the step.
    """
    if not getattr(scheduler, 'need_val_args', False):
        return []
    name = scheduler.param_name
    return [
        group[name] / group[f'initial_{name}']
        for group in scheduler.optimizer.param_groups
    ]


def progress(runner) -> Dict[str, Optional[int]]:
    """The units in which a run counts, and the seed of its data."""
    loader = runner.train_dataloader
    sampler = loader.batch_sampler.sampler
    return dict(
        epoch_length=len(loader),
        batch_size=loader.batch_sampler.batch_size,
        world_size=runner.world_size,
        images=len(loader.dataset),
        data_seed=sampler.seed if isinstance(sampler, Seeded) else None)


def is_progress(known: Any) -> bool:
    """Whether a checkpoint holds :func:`progress`, undamaged."""
    units = ('epoch_length', 'batch_size', 'world_size', 'images')
    return isinstance(known, dict) and all(
        isinstance(known.get(unit), int) and known[unit] > 0
        for unit in units) and isinstance(
            known.get('data_seed'), (int, type(None)))


def progress_of_others(meta: dict, now: dict) -> dict:
    """The same of a checkpoint of MMEngine, which ends an epoch or a step."""
    whole = meta['epoch'] and meta['iter'] % meta['epoch'] == 0
    length = meta['iter'] // meta['epoch'] if whole else now['epoch_length']
    return dict(now, epoch_length=length, data_seed=None)


def count_anew(meta: dict, before: dict, now: dict) -> bool:
    """Count the steps in batches of this run, by images trained on.

    Args:
        meta (dict): Of the checkpoint; its ``iter`` is changed.
        before (dict): :func:`progress` of the run of the checkpoint.
        now (dict): That of this run.

    Returns:
        bool: Whether the runs differ in their steps.
    """
    units = ('epoch_length', 'batch_size', 'world_size')
    if all(before[unit] == now[unit] for unit in units):
        return False
    done = meta['iter'] - meta['epoch'] * before['epoch_length']
    images = done * before['batch_size'] * before['world_size']
    batch = now['batch_size'] * now['world_size']
    meta['iter'] = meta['epoch'] * now['epoch_length'] + min(
        images // batch, now['epoch_length'])
    return True
