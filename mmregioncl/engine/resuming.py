"""Restore progress, and report config changes, when a run resumes."""
import ast
import warnings
from typing import Any, Dict, List, Optional

from mmengine.config import Config

from mmregioncl.datasets import Seeded
from mmregioncl.datasets.nested import dotted_items
from .batches import images_per_batch

# Settings of the Runner that affect what is trained
AFFECTING = ('model', 'data_preprocessor', 'train_dataloader', 'optim_wrapper',
             'param_scheduler', 'train_cfg', 'auto_scale_lr', 'randomness',
             'custom_hooks', 'default_hooks', 'custom_imports', 'sync_bn',
             'model_wrapper_cfg', 'efficient_conv_bn_eval')
# Settings within them that have no effect on the result
HARMLESS = ('num_workers', 'persistent_workers', 'pin_memory',
            'prefetch_factor', 'val_interval', 'val_begin')
# Default hooks that have no effect on the result
HARMLESS_HOOKS = ('checkpoint', 'guard', 'health', 'knn', 'linear', 'logger',
                  'pretrained', 'resume', 'runtime_info', 'sampler_seed',
                  'timer', 'visualization')
# Settings that determine learning rates and momenta
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
    """Evaluate an expression of literals and ``dict(...)``."""
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


def affecting(settings: Dict[str, Any]) -> Dict[str, Any]:
    """Select the settings that affect training, by dotted keys."""
    given = {name: settings[name] for name in AFFECTING if name in settings}
    chosen = {}
    for key, value in dotted_items(given):
        name, *parts = key.split('.')
        harmless = parts and (parts[-1] in HARMLESS or name == 'default_hooks'
                              and parts[0] in HARMLESS_HOOKS)
        if not harmless and not isinstance(value, (dict, list)):
            chosen[key] = value
    return chosen


def changes(before: str, now: str) -> List[str]:
    """Compare the settings of two configs that affect training.

    Args:
        before (str): ``pretty_text`` of the config in a checkpoint.
        now (str): ``pretty_text`` of the config of the run.

    Returns:
        list[str]: Lines such as 'optim_wrapper.optimizer.lr: 0.03 -> 0.06'.
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
    """List the differences between two runs that affect training.

    Args:
        saved (str, optional): ``pretty_text`` of the config in the checkpoint.
        cfg (Config): Config of the run.
        before (dict): :func:`progress` in the checkpoint.
        now (dict): :func:`progress` of this run.

    Returns:
        list[str]: Lines as returned by :func:`changes`.
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
    """Let the optimizer follow the schedule of the config from this step on.

    New schedulers are built, and repeat all steps so far. Schedulers that
    monitor a metric keep their state from the checkpoint.

    Args:
        runner (Runner): A resumed run with one optimizer.
        groups (list[dict]): Settings of its parameter groups before the
            checkpoint was loaded.
    """
    known = runner.param_schedulers  # with the state of the checkpoint
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
    """Let new schedulers repeat all steps so far, without a metric."""
    steady = [
        part for part in runner.param_schedulers
        if not getattr(part, 'need_val_args', False)
    ]
    by_epoch = [part for part in steady if part.by_epoch]
    by_iter = [part for part in steady if not part.by_epoch]
    length = len(runner.train_dataloader)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # the optimizer makes no steps here
        epochs = 0
        for step in range(1, runner.iter + 1):
            for scheduler in by_iter:
                scheduler.step()
            if epochs < runner.epoch and step % length == 0:
                epochs += 1
                for scheduler in by_epoch:
                    scheduler.step()
        for scheduler in by_epoch * (runner.epoch - epochs):
            scheduler.step()  # earlier epochs had fewer steps


def plateau_shares(scheduler) -> List[float]:
    """Return the factor by which a plateau scheduler has lowered each group.

    Empty for other schedulers, whose values depend only on the step.
    """
    if not getattr(scheduler, 'need_val_args', False):
        return []
    name = scheduler.param_name
    return [
        group[name] / group[f'initial_{name}']
        for group in scheduler.optimizer.param_groups
    ]


def progress(runner) -> Dict[str, Optional[int]]:
    """Return the units in which a run counts, and the seed of its data."""
    loader = runner.train_dataloader
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return dict(
        epoch_length=len(loader),
        batch_size=images_per_batch(loader),
        world_size=runner.world_size,
        images=len(loader.dataset),
        data_seed=sampler.seed if isinstance(sampler, Seeded) else None)


def is_progress(known: Any) -> bool:
    """Whether an object in a checkpoint is a valid :func:`progress`."""
    units = ('epoch_length', 'batch_size', 'world_size', 'images')
    return isinstance(known, dict) and all(
        isinstance(known.get(unit), int) and known[unit] > 0
        for unit in units) and isinstance(
            known.get('data_seed'), (int, type(None)))


def progress_of_others(meta: dict, now: dict) -> dict:
    """Progress of a checkpoint written by MMEngine's own hook."""
    whole = meta['epoch'] and meta['iter'] % meta['epoch'] == 0
    length = meta['iter'] // meta['epoch'] if whole else now['epoch_length']
    return dict(now, epoch_length=length, data_seed=None)


def count_anew(meta: dict, before: dict, now: dict) -> bool:
    """Convert the steps of a checkpoint to batches of this run.

    Args:
        meta (dict): Meta data of the checkpoint. Its ``iter`` is changed.
        before (dict): :func:`progress` in the checkpoint.
        now (dict): :func:`progress` of this run.

    Returns:
        bool: Whether the length of an epoch or the batch differs.
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
