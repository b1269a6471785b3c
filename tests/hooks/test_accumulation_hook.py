from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmregioncl.hooks import AccumulationHook


class Watch(Hook):
    """Note what each batch moves: weights, their average, places of keys."""

    def before_train(self, runner) -> None:
        self.before, self.moves = self.state(runner.model), []

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        after = self.state(runner.model)
        (weight, average, place) = (now - then
                                    for now, then in zip(after, self.before))
        self.before = after
        self.moves.append(
            (bool(weight.any()), bool(average.any()), int(place) % 32))

    @staticmethod
    def state(model) -> list:
        average = model.encoder_k.module[1]
        return [
            next(model.neck.parameters()).clone(),
            next(average.parameters()).clone(),
            model.queue_ptr.clone()
        ]


def moves(cfg, work_dir) -> list:
    cfg.update(work_dir=str(work_dir), experiment_name=str(work_dir))
    cfg.optim_wrapper.accumulative_counts = 2
    cfg.default_hooks.accumulation = dict(type='mmregioncl.AccumulationHook')
    runner = Runner.from_cfg(cfg)
    runner.register_hook(watch := Watch(), priority='LOWEST')
    runner.train()
    return watch.moves


def test_a_resumed_run_stays_in_step(runner_cfg, tmp_path):
    """Three batches of 4 an epoch: checkpoints lie within an update."""
    whole = moves(runner_cfg, tmp_path / 'whole')
    first, update, follow = (False, False, 0), (True, False, 8), (False, True,
                                                                  0)
    assert whole == [first, update, follow, update, follow, update]

    # The checkpoint holds gradient and keys of the third batch.
    runner_cfg.load_from = str(tmp_path / 'whole/epoch_1.pth')
    runner_cfg.resume = True
    resumed = moves(runner_cfg, tmp_path / 'resumed')
    assert resumed == whole[3:]


@pytest.mark.parametrize('damage', [
    dict(iter=None),
    dict(processes=3),
    dict(processes=[]),
    dict(processes=[dict(keys={})]),
    dict(processes=[dict(gradients=dict(no=torch.ones(2)), keys={})]),
    dict(processes=[dict(gradients=dict(bias=np.ones(2)), keys={})]),
    dict(processes=[dict(gradients={}, keys=dict(no=[torch.ones(4, 8)]))]),
    dict(processes=[dict(gradients={}, keys=dict(queue=[torch.ones(4, 9)]))]),
    dict(processes=[dict(gradients=dict(weight=torch.ones(3)), keys={})]),
    dict(processes=[dict(gradients={}, keys=dict(queue=[3]))]),
    dict(processes=[dict(gradients={}, keys=dict(queue=None))]),
    None,
])
def test_a_damaged_update_is_refused(damage):
    model = torch.nn.Linear(2, 2)
    model.waiting_keys, model.queue = {}, torch.zeros(8, 16)
    state = dict(
        iter=3,
        counts=2,
        processes=[
            dict(
                gradients=dict(weight=torch.ones(2, 2)),
                keys=dict(queue=[torch.ones(4, 8)]))
        ])
    runner = Mock(model=model, _resume=True, _load_from='a.pth')
    hook = AccumulationHook()
    hook.after_load_checkpoint(runner, {})
    hook.after_load_checkpoint(runner, dict(unfinished=state))
    assert hook.unfinished is state
    lost, other = (
        Mock(getMessage=lambda text=text: text)
        for text in ('Resumed iteration number is not', 'other'))
    hides = runner.logger.addFilter.call_args[0][0]
    assert other in filter(hides, [lost, other]) and not hides(lost)
    damaged = 3 if damage is None else dict(state, **damage)
    with pytest.raises(
            ValueError, match=r'a.pth is damaged \(unfinished\): resume'):
        hook.after_load_checkpoint(runner, dict(unfinished=damaged))


@pytest.mark.parametrize('method', ['RegionCLMoCo'], indirect=True)
def test_a_parent_with_a_queue_stays(method, runner_cfg):
    """The hook warns that it cannot delay its queue."""
    runner_cfg.model = dict(
        method[1], data_preprocessor=runner_cfg.model.data_preprocessor)
    runner_cfg.optim_wrapper.accumulative_counts = 2
    runner_cfg.default_hooks.accumulation = dict(
        type='mmregioncl.AccumulationHook')
    runner = Runner.from_cfg(runner_cfg)
    runner.logger.warning = Mock()
    runner.train()
    assert runner.model.encoder_k.interval == 1
    assert 'encoder of MoCo move 2 times per update' in '\n'.join(
        call.args[0] for call in runner.logger.warning.call_args_list)


def test_loaded_weights_begin_an_update(runner_cfg, tmp_path):
    """They do so after any number of batches."""
    moves(runner_cfg, tmp_path / 'whole')
    runner_cfg.load_from = str(tmp_path / 'whole/epoch_1.pth')
    loaded = moves(runner_cfg, tmp_path / 'loaded')
    update, follow = (True, False, 8), (False, True, 0)
    assert loaded == 3 * [follow, update]


@pytest.mark.parametrize('method', ['RegionCLBYOL'], indirect=True)
def test_averages_of_a_parent_wait(method, build):
    """The average stays in step with the optimizer after loading."""
    model = build(method[1])
    model.target_net.steps.fill_(5)
    runner = Mock(
        model=model, iter=4, optim_wrapper=Mock(_accumulative_counts=3))
    for _ in range(2):  # a second run does not multiply it
        AccumulationHook().before_train(runner)
        assert model.target_net.interval == 3
        assert (model.target_net.steps - runner.iter) % 3 == 0


def test_several_optimizers_warn():
    layer = torch.nn.Linear(1, 1)
    wrapper = OptimWrapperDict(
        a=OptimWrapper(
            torch.optim.SGD(layer.parameters(), 0.1), accumulative_counts=2))
    runner = Mock(model=layer, optim_wrapper=wrapper)
    AccumulationHook().before_train(runner)
    line, = runner.logger.warning.call_args.args
    assert line.startswith('averages and queues move once per batch, since')
