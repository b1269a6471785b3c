"""Evaluate a model that is not trained, by any number of processes."""
import json
import sys

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner

import mmregioncl  # noqa: F401


def main(config: str, launcher: str, out: str) -> None:
    cfg = Config.fromfile(config)
    cfg.launcher = launcher
    runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    with torch.no_grad():  # statistics drift apart without SyncBN
        for name, value in runner.model.named_buffers():
            if 'running' in name:
                value.add_(get_rank())
    told = {}
    runner.visualizer.add_scalars = lambda scalars, step: told.update(scalars)
    runner.logger.info = runner.logger.warning = lambda line: None
    for hook in runner.hooks:
        if type(hook).__name__ in ('OnlineKNNHook',
                                   'RepresentationHealthHook'):
            hook.before_train(runner)
            hook.after_train_epoch(runner)
    with open(f'{out}.{get_rank()}', 'w') as file:
        json.dump(told, file)


if __name__ == '__main__':
    main(*sys.argv[1:])
