"""Train with an online linear probe, on two processes."""
import sys

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner

import mmregioncl  # noqa: F401
from mmregioncl.engine.hooks import OnlineLinearProbeHook


def main(config: str, out: str) -> None:
    cfg = Config.fromfile(config)
    cfg.launcher = 'pytorch'
    runner = Runner.from_cfg(cfg)
    runner.train()
    hook, = (
        hook for hook in runner.hooks
        if isinstance(hook, OnlineLinearProbeHook))
    torch.save(hook.probe.state_dict(), f'{out}.{get_rank()}')


if __name__ == '__main__':
    main(*sys.argv[1:])
