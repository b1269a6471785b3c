"""Find the boxes of a config, by any number of processes."""
import sys

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner

import mmregioncl  # noqa: F401
from mmregioncl.engine.hooks import SemanticLocalizationHook


def main(config: str, launcher: str, out: str) -> None:
    cfg = Config.fromfile(config)
    cfg.launcher = launcher
    runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.call_hook('before_run')
    with torch.no_grad():  # statistics drift apart without SyncBN
        for name, value in runner.model.named_buffers():
            if 'running' in name:
                value.add_(get_rank())
    own = {n: v.clone() for n, v in runner.model.named_buffers()}
    hook, = (
        hook for hook in runner.hooks
        if isinstance(hook, SemanticLocalizationHook))
    hook.find_boxes(runner, 2)
    assert all(torch.equal(own[n], v) for n, v in runner.model.named_buffers())
    torch.save(hook.stores[0].edges, f'{out}.{get_rank()}')


if __name__ == '__main__':
    main(*sys.argv[1:])
