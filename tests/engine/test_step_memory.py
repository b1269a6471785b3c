from types import SimpleNamespace

import pytest
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.optim import AmpOptimWrapper, OptimWrapper, OptimWrapperDict
from mmengine.registry import MODELS
from torch.profiler import ProfilerActivity, profile

from mmregioncl.engine.optimizers import AutocastOptimWrapper
from mmregioncl.engine.step_memory import (autocast_dtype, estimate_step,
                                           free_memory, group_room, host_room,
                                           missing_states, rehearse)
from mmregioncl.hooks import GradientCheckpointHook
from toy import method_cfgs

SHAPE = (3, 32, 32)


def make_run(model, kind=torch.optim.SGD, wrapper=OptimWrapper, **settings):
    optimizer = kind(model.parameters(), 0.01, **settings)
    return SimpleNamespace(
        model=model, optim_wrapper=wrapper(optimizer=optimizer))


def estimate(run, batch=8) -> int:
    return estimate_step(run, [torch.empty(1, *SHAPE)] * 2, batch)


def measure(run, batch=8) -> int:
    """Peak of the second step, as PyTorch's allocator reports it."""
    model = run.model
    weights = (*model.parameters(), *model.buffers())
    with profile(
            activities=[ProfilerActivity.CPU],
            profile_memory=True) as profiler:
        for _ in range(2):
            views = [torch.randn(batch, *SHAPE) for _ in range(2)]
            with run.optim_wrapper.optim_context(model):
                loss = sum(model.loss(views, []).values())
            run.optim_wrapper.update_params(loss)
            del loss, views
    events = [
        event for event in profiler.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    peak = held = sum(weight.nbytes for weight in weights)
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


@pytest.mark.parametrize(
    'method', ['RegionCLMoCo', 'RegionCLMoCoV3', 'RegionCLSimCLR'],
    indirect=True)
def test_estimate_is_what_a_step_takes(method, build):
    run = make_run(build(method[0]), momentum=0.9)
    before = {k: v.clone() for k, v in run.model.state_dict().items()}
    state = torch.get_rng_state()
    estimated = estimate(run)
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert estimated == pytest.approx(measure(run), rel=0.1)


@pytest.mark.parametrize(
    'method', ['RegionCLDenseCL', 'RegionCLBYOL'], indirect=True)
def test_a_rehearsal_leaves_the_model_alone(method, build):
    model = build(method[0])
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = torch.get_rng_state()
    rehearse(model, [torch.empty(1, *SHAPE)] * 2, 4)
    assert torch.equal(torch.get_rng_state(), state) and model.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.slow
@pytest.mark.parametrize('method', ['RegionCLMoCo'], indirect=True)
def test_what_saves_memory_is_estimated(method, build):
    """Gradient checkpoints, and autocast, which a CPU may take long for."""
    plain, checkpoints = (make_run(build(method[0])) for _ in range(2))
    GradientCheckpointHook().before_train(checkpoints)
    half = make_run(build(method[0]), wrapper=AutocastOptimWrapper)
    assert estimate(checkpoints) == pytest.approx(
        measure(checkpoints), rel=0.15)
    assert estimate(checkpoints) < 0.8 * estimate(plain)
    # Activations are halved; weights, gradients and momenta are not.
    assert estimate(half, 80) == pytest.approx(
        estimate(plain, 80) / 2, rel=0.1)


@pytest.mark.parametrize('kind, settings, states', [
    (torch.optim.SGD, {}, 0),
    (torch.optim.SGD, dict(momentum=0.9), 1),
    (torch.optim.AdamW, {}, 2),
    (torch.optim.Adam, dict(amsgrad=True), 3),
])
def test_states_of_the_optimizer(kind, settings, states):
    run = make_run(torch.nn.Linear(9, 9, bias=False), kind, **settings)
    assert missing_states(run) == states * 81 * 4
    run.optim_wrapper = OptimWrapperDict(first=run.optim_wrapper)
    assert missing_states(run) == states * 81 * 4
    run.optim_wrapper = run.optim_wrapper['first']
    run.model(torch.ones(9)).sum().backward()
    run.optim_wrapper.optimizer.step()
    assert missing_states(run) == 0


@pytest.mark.parametrize('method', ['RegionCLMoCo'], indirect=True)
def test_hooks_of_the_run_do_not_listen(method, build):

    class Listener(Hook):

        def note(self, *args):
            raise AssertionError('called')

    run = make_run(build(method[0]))
    run.model.backbone.register_forward_hook(Listener().note)
    estimate(run)


def test_mixed_precision_of_a_gpu():
    wrapper = object.__new__(AmpOptimWrapper)  # which needs one
    wrapper.cast_dtype = None
    assert autocast_dtype(wrapper, torch.device('cuda')) is torch.float16


def one_process_estimates() -> None:
    """The others need not take part, as they would in a step."""
    for name in ('RegionCLMoCo', 'RegionCLSimCLR') * (get_rank() == 0):
        torch.manual_seed(0)
        run = make_run(MODELS.build(method_cfgs(name)[0]).train())
        assert estimate(run) > 0


def test_one_process_estimates(two_ranks):
    two_ranks(one_process_estimates)


def test_room_of_the_host(tmp_path):
    path = tmp_path / 'meminfo'
    path.write_text('MemTotal: 900 kB\nMemAvailable:  400 kB\n')
    assert [*host_room(str(path))] == [400 * 1024]
    assert [*host_room('/no/such/file')] == []
    assert [*group_room('/no/such/file')] == []
    assert free_memory(torch.device('meta')) is None


def test_room_of_a_container(tmp_path):
    """Of a job in a job, with cgroups of either version."""
    groups = tmp_path / 'cgroup'
    groups.write_text('4:cpu,memory:/job\n3:pids:/job\n0::/slice/job\n')
    files = {
        'memory/job': ('memory.limit_in_bytes', 900, 'memory.usage_in_bytes',
                       500, 'total_inactive_file 100\n'),
        'slice/job': ('memory.max', 'max', 'memory.current', 1, ''),
        'slice': ('memory.max', 800, 'memory.current', 300,
                  'anon 9\ninactive_file 7\n'),
    }
    for folder, (limit, most, usage, used, stat) in files.items():
        place = tmp_path / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / limit).write_text(f'{most}\n')
        (place / usage).write_text(f'{used}\n')
        (place / 'memory.stat').write_text(stat)
    assert sorted(group_room(str(groups), str(tmp_path))) == [500, 507]
