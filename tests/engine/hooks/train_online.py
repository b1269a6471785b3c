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
    hook, = (
        hook for hook in runner.hooks
        if isinstance(hook, OnlineLinearProbeHook))
    seen = []
    learn = hook.after_train_iter

    def note(runner, batch_idx, data_batch, outputs=None) -> None:
        labels = torch.cat(
            [sample.gt_label.value for sample in data_batch['data_samples']])
        seen.append((hook.features, labels))
        learn(runner, batch_idx, data_batch, outputs)

    hook.after_train_iter = note
    runner.train()
    torch.save(seen, f'{out}.{get_rank()}.seen')
    torch.save(hook.probe.state_dict(), f'{out}.{get_rank()}')


if __name__ == '__main__':
    main(*sys.argv[1:])
