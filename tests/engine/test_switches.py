from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmregioncl.engine import switches
from mmregioncl.engine.config import check_amp, set_amp
from mmregioncl.hooks import ChannelsLastHook, CompileHook

AUTOCAST = 'mmregioncl.AutocastOptimWrapper'


@pytest.fixture
def gpu(monkeypatch):
    """Pretend that there is one of a capability."""

    def pretend(*capability):
        monkeypatch.setattr(torch.cuda, 'get_device_capability',
                            lambda: capability)
        monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'a GPU')

    return pretend


@pytest.fixture
def cpu(monkeypatch):
    """Pretend that the processor has or lacks instructions."""

    def pretend(machine='x86_64', avx=False, amx=False):
        monkeypatch.setattr(switches.platform, 'machine', lambda: machine)
        for name, value in (('avx512_bf16', avx), ('amx_tile', amx)):
            monkeypatch.setattr(
                torch.cpu, f'_is_{name}_supported', lambda value=value: value)

    return pretend


@pytest.mark.parametrize('instructions, slow', [
    (dict(), True),
    (dict(avx=True), False),
    (dict(amx=True), False),
    (dict(machine='aarch64'), False),
])
def test_amp_on_a_cpu(cpu, instructions, slow):
    cpu(**instructions)
    settings = dict(dtype='float16', loss_scale='dynamic')
    cfg = Config(dict(optim_wrapper=settings))
    if slow:
        with pytest.raises(
                ValueError,
                match='--amp computes in bfloat16, which is slower than float'
                '32 here, since this CPU has neither AMX nor AVX512-BF16: leav'
                'e --amp out, or set optim_wrapper.type=mmregi'):
            set_amp(cfg, 'cpu')
        cfg.optim_wrapper.type = AUTOCAST  # as the message says
    set_amp(cfg, 'cpu')
    assert cfg.optim_wrapper == dict(type=AUTOCAST)


@pytest.mark.parametrize('scope', ['', 'mmengine.'])
def test_amp_of_a_config_for_gpus(scope):
    """As MMPretrain's of MoCo v3 have it."""
    rest = dict(optimizer=dict(type='SGD', lr=0.1), clip_grad=dict(max_norm=1))
    cfg = Config(
        dict(
            optim_wrapper=dict(
                type=f'{scope}AmpOptimWrapper',
                loss_scale='dynamic',
                _scope_='mmengine',
                **rest)))
    check_amp(cfg, 'cuda')
    with pytest.raises(ValueError, match='AmpOptimWrapper needs a GPU') as e:
        check_amp(cfg, 'cpu')
    line = str(e.value).partition(', set ')[2]
    given = Config.fromstring(line, '.py').optim_wrapper
    assert 'dict(_delete_=True, ' in line and '_scope_' not in line
    assert given == dict(_delete_=True, type='OptimWrapper', **rest)
    cfg.optim_wrapper.type = AUTOCAST
    check_amp(cfg, 'cpu')


@pytest.mark.parametrize('capability, dtype, slow', [
    ((6, 1), 'float16', True),
    ((7, 0), 'float16', False),
    ((7, 5), 'bfloat16', True),
    ((8, 0), 'bfloat16', False),
])
def test_amp_on_a_gpu(gpu, capability, dtype, slow):
    gpu(*capability)
    cfg = Config(dict(optim_wrapper=dict(dtype=dtype)))
    if slow:
        with pytest.raises(
                ValueError, match=f'a GPU has no tensor cores for {dtype}'):
            set_amp(cfg, 'cuda')
        return
    set_amp(cfg, 'cuda')
    assert cfg.optim_wrapper == dict(
        type='AmpOptimWrapper', dtype=dtype, loss_scale='dynamic')


def test_channels_last_without_gain(gpu, monkeypatch):
    why = switches.channels_last_gains_nothing
    convolution = nn.Sequential(nn.Conv2d(1, 1, 1))
    assert why('cpu', convolution) is None
    assert why('cpu', nn.Linear(1, 1)) == ('Linear has no convolutions of '
                                           'images')
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    assert why('cpu', convolution) == 'this PyTorch has no oneDNN'
    gpu(6, 1)
    assert why('cuda', convolution) == 'a GPU has no tensor cores'
    gpu(7, 0)
    assert why('cuda', convolution) is None


def test_channels_last_says_that_it_gains_nothing():
    runner = SimpleNamespace(model=nn.Linear(1, 1), logger=Mock())
    ChannelsLastHook().before_train(runner)
    runner.logger.warning.assert_called_once_with(
        'ChannelsLastHook has no benefit, because Linear has no convolutions '
        'of images: leave it out')


def test_compiling_without_a_compiler(monkeypatch):
    from torch._inductor import config
    monkeypatch.setattr(config.cpp, 'cxx', ('no-such-compiler', ))
    runner = SimpleNamespace(model=nn.Linear(1, 1))
    with pytest.raises(
            RuntimeError,
            match='CompileHook needs a C.. compiler, which was not found'):
        CompileHook(['']).before_train(runner)
    CompileHook([''], backend='eager').before_train(runner)
