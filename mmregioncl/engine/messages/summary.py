"""Describe a run, and suggest the next commands."""
import os
import shlex
import time
from pathlib import Path
from typing import Union

from mmengine.dataset import BaseDataset
from mmengine.runner import IterBasedTrainLoop

from mmregioncl.datasets.nested import innermost
from mmregioncl.files import printable
from mmregioncl.models.parents import BaseModel
from mmregioncl.models.utils.modules import unwrap
from ..batches import images_per_batch
from ..checks.schedules import (SPANS, ends_elsewhere, last_schedule,
                                length_setting, warms_up)

REMINDER = '  # and let param_scheduler end with it'


def describe_run(runner) -> str:
    """Describe model, data, length and work dir of a run in one line.

    Args:
        runner (Runner): A run that is ready to train.
    """
    loader = runner.train_dataloader
    parts = list(innermost(loader.dataset))
    batch = counted(images_per_batch(loader), 'image')
    if runner.world_size > 1:
        batch = f'{runner.world_size} x {batch}'
    steps = f'{counted(runner.max_iters, "step")} of {batch}'
    if not isinstance(runner.train_loop, IterBasedTrainLoop):
        steps = (f'{counted(runner.max_epochs, "epoch")} of '
                 f'{counted(len(loader), "step")} of {batch}')
    if runner.iter:
        steps += f', {counted(runner.iter, "step")} done'
    data = ' and '.join(map(describe_data, parts[:3]))
    if len(parts) > 3:
        data += f' and {len(parts) - 3} more'
    model = unwrap(runner.model)
    device = next(model.parameters()).device.type
    return (f'{type(model).__name__} on {data}: {steps}, on {device}; '
            f'checkpoints and log in {as_given(runner, runner.work_dir)}')


def as_given(runner, path: Union[str, Path]) -> str:
    """A path that begins with the work dir as the config has it.

    MMEngine makes a relative work dir absolute.
    """
    if not Path(path).is_relative_to(runner.work_dir):
        return str(path)
    given = Path(runner.cfg.get('work_dir') or runner.work_dir)
    return str(given / Path(path).relative_to(runner.work_dir))


def counted(number: int, noun: str) -> str:
    """A number of things, such as '1 step' or '2 steps'."""
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


def every(number: int, noun: str) -> str:
    """How often something happens, such as 'every step' or 'every 2 steps'."""
    return f'every {noun}' if number == 1 else f'every {number} {noun}s'


def describe_data(dataset: BaseDataset) -> str:
    """Describe the images of a data set, and the files that it skips."""
    root = getattr(dataset, 'data_root', None) or type(dataset).__name__
    text = f'{counted(len(dataset), "image")} of {printable(root)}'
    left_out = {
        ending: count
        for ending, count in getattr(dataset, 'found', {}).items()
        if ending not in dataset.extensions
    }
    if left_out:
        names = ', '.join(f'{count} {ending or "without extension"}'
                          for ending, count in sorted(left_out.items())[:5])
        text += f' (skipped {sum(left_out.values())} other files: {names})'
    return text


def end_of_run(seconds_per_step: float, steps: int) -> str:
    """Estimate the time at which a run ends, such as '16:05'."""
    seconds = seconds_per_step * steps
    form = '%H:%M' if seconds < 43200 else '%Y-%m-%d %H:%M'
    return time.strftime(form, time.localtime(time.time() + seconds))


def next_commands(runner, config: str, tools: Path) -> str:
    """List the results of a run, and the commands that use them.

    Args:
        runner (Runner): A finished run.
        config (str): Its config file.
        tools (Path): Folder of the tools.

    Returns:
        str: One line for each result or command.
    """
    work_dir = as_given(runner, runner.work_dir)
    checkpoint = runner.message_hub.get_info('last_ckpt')
    if checkpoint is None:
        return f'no checkpoint was written to {work_dir}'
    checkpoint = as_given(runner, checkpoint)
    log = Path(runner.log_dir) / f'{runner.timestamp}.log'
    lines = dict(checkpoint=checkpoint, log=as_given(runner, log))
    best = [
        as_given(runner, path)
        for name, path in runner.message_hub.runtime_info.items()
        if name.startswith('best_ckpt') and path
    ]
    if best:
        lines['best'] = ', '.join(best)

    def command(tool: str, *arguments) -> str:
        path = os.path.normpath(tools / tool)
        return shlex.join(map(str, ('python', path, *arguments)))

    if isinstance(unwrap(runner.model), BaseModel):
        results = Path(work_dir) / 'evaluation'
        lines['evaluate'] = command('evaluate.py', config, checkpoint, '--out',
                                    results)
        if not runner.cfg.get('eval_datasets'):
            lines['evaluate'] += ' --train DIR --test DIR'
        lines['export'] = command('model_converters/extract_backbone.py',
                                  checkpoint, 'backbone.pth')
        lines['fine-tune'] = command('train.py', 'CONFIG', '--pretrained',
                                     checkpoint)
    elif runner.cfg.get('test_dataloader'):
        lines['evaluate'] = command('test.py', config, checkpoint)
    lines['go on'] = command('train.py', config, '--work-dir', work_dir,
                             '--resume')
    stopped = getattr(runner.train_loop, 'stop_training', False)
    if not stopped or runner.iter >= runner.max_iters:
        lines['go on'] += longer_run(runner)
    if stopped:  # by a hook that a resumed run restores
        lines['go on'] += ', and' if '#' in lines['go on'] else '  #'
        lines['go on'] += ' with a larger patience of EarlyStoppingHook'
    width = max(map(len, lines)) + 2
    return '\n'.join(f'{name:{width}}{text}' for name, text in lines.items())


def longer_run(runner) -> str:
    """Options that double the length of a run, and of its schedule."""
    setting = 'max_iters' if isinstance(runner.train_loop,
                                        IterBasedTrainLoop) else 'max_epochs'
    longer = 2 * getattr(runner, setting)
    options = f' --cfg-options train_cfg.{setting}={longer}'
    last = last_schedule(runner)
    if last and ends_elsewhere(last,
                               2 * getattr(runner, length_setting(last))):
        options += REMINDER if warms_up(last) else \
            longer_schedule(runner.cfg, setting, longer)
    return options


def longer_schedule(cfg: dict, setting: str, length: int) -> str:
    """Options that end the schedule with the run, or a reminder if it has
    several parts."""
    schedules = cfg.get('param_scheduler')
    if isinstance(schedules, list) and len(schedules) == 1:
        only, = schedules
        by_epoch = only.get('by_epoch', True)
        if not only.get('begin') and by_epoch == (setting == 'max_epochs'):
            return ''.join(f' param_scheduler.0.{name}={length}'
                           for name in (*SPANS, 'end') if name in only)
    return REMINDER
