"""Check that every setting has the effect that its name suggests."""
from difflib import get_close_matches
from math import inf
from typing import Iterable

import torch
from mmengine.hooks import (CheckpointHook, DistSamplerSeedHook, EMAHook,
                            ParamSchedulerHook, RuntimeInfoHook)
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.runner import (EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop,
                             ValLoop)
from torch.nn.modules.batchnorm import _BatchNorm

from mmregioncl.datasets.nested import type_name
from mmregioncl.models.parents import BaseModel
from mmregioncl.models.utils.modules import get_module, unwrap
from mmregioncl.validation import (arguments_of, check_number,
                                   check_whole_number, did_you_mean, is_number,
                                   listed)
from ..optimizers import all_schedulers

ENV = ('cudnn_benchmark', 'dist_cfg', 'mp_cfg', 'resource_limit')
# Samplers of MMEngine and MMDetection
ENDLESS = ('InfiniteSampler', 'MultiSourceSampler')
PARAMWISE = ('bias_decay_mult', 'bias_lr_mult', 'bypass_duplicate',
             'custom_keys', 'dcn_offset_lr_mult', 'dwconv_decay_mult',
             'flat_decay_mult', 'norm_decay_mult')
# Averages of MMEngine with a momentum
EMAS = ('ExponentialMovingAverage', 'MomentumAnnealingEMA')
# Settings of parameter groups that LARS and SimSiamHook read
GROUP = ('decay_mult', 'fix_lr', 'lars_exclude', 'lr_mult')


def refuse_unknown(where: str, given: Iterable[str],
                   known: Iterable[str]) -> None:
    """Reject keys that nothing reads.

    Args:
        where (str): The setting that has the keys.
        given (Iterable[str]): The keys.
        known (Iterable[str]): Keys that are read.

    Raises:
        ValueError: If there is one.
    """
    for key in given:
        if key not in known:
            raise ValueError(f'{key} in {where} is not supported: use one of '
                             f'{", ".join(sorted(known))}')


def check_env(runner) -> None:
    """Reject unknown keys of ``env_cfg``."""
    refuse_unknown('env_cfg', runner.cfg.get('env_cfg') or {}, ENV)


def check_loops(runner) -> None:
    """Reject loops that cannot run or never end, and settings they ignore."""
    model = unwrap(runner.model)
    predict = getattr(type(model), 'predict', None)
    silent = isinstance(model, BaseModel) and \
        predict is getattr(BaseModel, 'predict', None)
    for split, loop in dict(
            val=runner._val_loop, test=runner._test_loop).items():
        plain = type(loop) is ValLoop or isinstance(loop, dict) and \
            loop.get('type', TestLoop) in (TestLoop, 'TestLoop')
        if silent and plain:
            raise ValueError(
                f'{type(model).__name__} cannot predict, which a {split} loop '
                f'needs: remove {split}_dataloader, {split}_cfg and {split}_'
                'evaluator, and evaluate it with OnlineKNNHook or '
                'OnlineLinearProbeHook')
    settings = runner.cfg.get('train_cfg') or {}
    idle = [key for key in settings if key.startswith(('val_', 'dynamic_'))]
    if idle and runner.val_loop is None:
        runner.logger.warning(
            f'{idle[0]} in train_cfg has no effect without a validation loop: '
            'set interval of the evaluation hooks')
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        check_iterations(runner)
    else:
        sampler = getattr(runner.train_dataloader.batch_sampler, 'sampler', 0)
        if any(kind.__name__ in ENDLESS for kind in type(sampler).__mro__):
            raise ValueError(
                f'an epoch of {type(sampler).__name__} never ends: set '
                'train_dataloader.sampler.type to mmregioncl.SeededSampler, or'
                ' train_cfg.type to IterBasedTrainLoop')


def check_iterations(runner) -> None:
    """Reject intervals in epochs if the whole run is one epoch."""
    counts = [
        f'by_epoch=True of {type(part).__name__}'
        for part in all_schedulers(runner) if part.by_epoch
    ] + [
        f'interval={hook.interval} of {type(hook).__name__}'
        for hook in runner.hooks if getattr(hook, 'by_epoch', False)
        and getattr(hook, 'interval', 0) > 0
    ]
    if counts:
        raise ValueError(
            f'{counts[0]} counts epochs, but an IterBasedTrainLoop'
            ' is a single epoch: set its by_epoch=False')


def check_averages(runner) -> None:
    """Reject settings that the average of ``EMAHook`` cannot have."""
    for hook in ema_hooks(runner):
        if 'interval' in hook.ema_cfg:
            check_whole_number(
                'interval',
                hook.ema_cfg['interval'],
                type(hook).__name__,
                low=1)
        momentum = hook.ema_cfg.get('momentum', 0.5)
        if type_name(hook.ema_cfg) in EMAS and not (is_number(momentum)
                                                    and 0 < momentum < 1):
            raise ValueError(
                f'momentum={momentum!r} of {type(hook).__name__} has to be '
                'between 0 and 1, the share of the new weights')


def check_averaging(runner) -> None:
    """Reject an ``EMAHook`` that averages nothing in this run.

    Warns if it averages weights that were not updated since.
    """
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    for hook in ema_hooks(runner):
        interval = hook.ema_cfg.get('interval', 1)
        if interval >= runner.max_iters:
            raise ValueError(
                f'interval={interval} of {type(hook).__name__} is no shorter '
                f'than the run, of {runner.max_iters} steps: lower it')
        if interval % counts:
            runner.logger.warning(
                f'{type(hook).__name__} averages after {interval} batch(es), '
                f'but weights change after {counts}: set its interval to '
                f'{counts}')
        for begin, length in (('begin_epoch', 'max_epochs'), ('begin_iter',
                                                              'max_iters')):
            first, total = getattr(hook, begin), getattr(runner, length)
            if first > total:
                raise ValueError(
                    f'{begin}={first} of {type(hook).__name__} is after the '
                    f'end of the run: lower it to {total} or less')


def check_hooks(runner) -> None:
    """Reject a run without the hooks that other settings rely on.

    A CheckpointHook would reject unknown settings only when it writes.
    """
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            known = arguments_of(type(hook)) | arguments_of(
                runner.save_checkpoint)
            refuse_unknown(
                type(hook).__name__, hook.args,
                known - {'self', 'args', 'kwargs'})
            for name in ('save_optimizer', 'save_param_scheduler'):
                if not getattr(hook, name, True):
                    runner.logger.warning(
                        f'checkpoints with {name}=False cannot be resumed: '
                        f'remove it from {type(hook).__name__}, unless '
                        'nothing may stop the run')
    epochs = isinstance(runner.train_loop, EpochBasedTrainLoop)
    needed = [(RuntimeInfoHook, 'runtime_info', 'momenta and logs'),
              (DistSamplerSeedHook, 'sampler_seed',
               'the order and the views of each epoch') if epochs else None,
              (ParamSchedulerHook, 'param_scheduler',
               'param_scheduler') if all_schedulers(runner) else None]
    for kind, name, use in filter(None, needed):
        if not any(isinstance(hook, kind) for hook in runner.hooks):
            raise ValueError(f'default_hooks.{name}=None disables the '
                             f'updates of {use}: remove that setting')


def check_clipping(runner) -> None:
    """Reject unknown arguments of ``clip_grad``, and limits below zero."""
    wrapper = runner.optim_wrapper
    given = getattr(wrapper, 'clip_grad_kwargs', None)
    if given:
        known = arguments_of(wrapper.clip_func) - {'parameters'}
        refuse_unknown('optim_wrapper.clip_grad', given, known)
        limit, = known & {'max_norm', 'clip_value'}
        if given.get(limit) != inf:  # which only logs norms
            check_number(limit, given.get(limit), 'clip_grad', positive=True)


def check_paramwise(runner) -> None:
    """Reject names in ``paramwise_cfg`` that nothing reads.

    Warns if none of the keys matches a parameter. One schedule may be used for
    several networks, so that some keys match nothing.
    """
    wrapper = runner.cfg.get('optim_wrapper') or {}
    given = wrapper.get('paramwise_cfg') or {}
    kinds = (None, DefaultOptimWrapperConstructor,
             DefaultOptimWrapperConstructor.__name__)
    if not given or not isinstance(runner.optim_wrapper, OptimWrapper) or \
            wrapper.get('constructor') not in kinds:
        return
    refuse_unknown('paramwise_cfg', given, PARAMWISE)
    names = [name for name, _ in unwrap(runner.model).named_parameters()]
    known = [*GROUP, *runner.optim_wrapper.optimizer.defaults]
    custom = given.get('custom_keys') or {}
    for key, settings in custom.items():
        where = f'paramwise_cfg.custom_keys of {key}'
        # Other names are passed to the optimizer, and a hook may read them.
        alike = [
            key for key in settings if get_close_matches(key, known, 1, 0.8)
        ]
        refuse_unknown(where, alike, known)
        if settings.get('fix_lr') and not simsiam_hooks(runner):
            raise ValueError(f'fix_lr in {where} has no effect without a '
                             'SimSiamHook in custom_hooks: add one')
    if custom and not any(key in name for key in custom for name in names):
        runner.logger.warning(
            f'{", ".join(custom)} in paramwise_cfg.custom_keys matches no '
            'parameter: use a part of a name in model.named_parameters()')


def check_predictor(runner) -> None:
    """Reject a schedule that changes the fixed rate of the predictor."""
    for hook in simsiam_hooks(runner):
        if hook.adjust_by_epoch and any(not part.by_epoch
                                        for part in all_schedulers(runner)):
            raise ValueError(
                'SimSiamHook sets the learning rate of the predictor once per '
                'epoch, but param_scheduler changes it in each step: set '
                'adjust_by_epoch=False of SimSiamHook')


def check_scaled_lr(runner) -> None:
    """Reject ``auto_scale_lr`` where it would scale by another batch."""
    if not (runner.auto_scale_lr or {}).get('enable'):
        return
    counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
    reasons = [f'ignores accumulative_counts={counts}'] * (counts > 1) + [
        'does not scale lr of SimSiamHook' for _ in simsiam_hooks(runner)
    ] + [
        f'does not scale eta_max of {type(part).__name__}'
        for part in all_schedulers(runner) if hasattr(part, 'total_steps')
    ]
    if reasons:
        raise ValueError(f'auto_scale_lr {reasons[0]}: set auto_scale_lr.'
                         'enable=False, and the learning rates for your batch')


def check_modules(runner) -> None:
    """Reject modules of MMEngine's settings that the model does not have."""
    for setting in ('activation_checkpointing', 'efficient_conv_bn_eval'):
        for name in listed(runner.cfg.get(setting) or []):
            try:
                get_module(runner.model, name)
            except ValueError as error:
                raise ValueError(f'{setting}: {error}') from None


def check_compile(runner) -> None:
    """Reject settings that ``torch.compile`` does not accept."""
    settings = runner.cfg.get('compile')
    if isinstance(settings, dict):
        try:
            torch.compile(check_compile, **settings)  # not called
        except Exception as error:  # of the backend, too
            reason = str(error).splitlines()[0]
            raise ValueError(f'compile={settings} is not accepted by torch.'
                             f'compile: {reason}') from error


def check_logged(runner) -> None:
    """Warn about a name in ``custom_cfg`` that looks misspelled.

    Names are known after the first step. A validation loop may log others.
    """
    if runner.val_loop is not None:
        return
    logged = {
        key.removeprefix('train/')
        for key in runner.message_hub.log_scalars
    }
    for entry in runner.log_processor.custom_cfg:
        name = entry.get('data_src')
        if name not in logged and (near := did_you_mean(name, logged)):
            runner.logger.warning(
                f'data_src={name!r} in log_processor.custom_cfg adds nothing '
                f'to the log, since the run does not log it{near}: correct '
                'its name')


def check_recomputed(runner) -> None:
    """Warn if MMEngine recomputes batch norm.

    The running statistics are updated twice in each step.
    """
    for name in listed(runner.cfg.get('activation_checkpointing') or []):
        module = get_module(runner.model, name)
        if any(isinstance(part, _BatchNorm) for part in module.modules()):
            runner.logger.warning(
                f'activation_checkpointing of {name} updates the statistics of'
                ' its batch norm twice in each step: use modules of mmregioncl'
                '.GradientCheckpointHook')


def simsiam_hooks(runner) -> list:
    """Return the hooks that fix the learning rate of the predictor."""
    return [
        hook for hook in runner.hooks if getattr(hook, 'fix_pred_lr', False)
    ]


def ema_hooks(runner) -> list:
    """Return the hooks that average the weights."""
    return [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
