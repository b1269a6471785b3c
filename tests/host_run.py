"""What a process with the host of its environment finds, printed as JSON.

``python tests/host_run.py FOLDER``, with a folder of images to train on.
"""
import json
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from mmregioncl import host
from toy import PARENTS, method_cfgs

MMPRETRAIN = dict(
    RegionCLMoCo='mocov2/mocov2_resnet50_8xb32-coslr-200e_in1k',
    RegionCLDenseCL='densecl/densecl_resnet50_8xb32-coslr-200e_in1k',
    RegionCLSimSiam='simsiam/simsiam_resnet50_8xb32-coslr-100e_in1k',
    RegionCLBYOL='byol/byol_resnet50_16xb256-coslr-200e_in1k',
    RegionCLSimCLR='simclr/simclr_resnet50_8xb32-coslr-200e_in1k')


def three_steps(name: str) -> dict:
    """Losses of three SGD steps, to the bit, and the weights' names."""
    torch.manual_seed(0)
    model = MODELS.build(method_cfgs(name)[0]).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    draw = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(3):
        views = [torch.randn(6, 3, 32, 32, generator=draw) for _ in range(2)]
        parts = model(views, mode='loss')
        optimizer.zero_grad()
        sum(parts.values()).backward()
        optimizer.step()
        losses += [part.item().hex() for part in parts.values()]
    return dict(losses=losses, weights=list(model.state_dict()))


def wrong_momentum(name: str) -> str:
    """The error for the other host's default."""
    setting = 'base_momentum' if name == 'RegionCLBYOL' else 'momentum'
    cfg = method_cfgs(name)[0]
    try:
        MODELS.build({**cfg, setting: 1 - host.kept(0.999)})
    except ValueError as error:
        return str(error)
    return ''


def switched_run(name: str, images: str, work_dir: str) -> list:
    """Losses that MMPretrain's own config logs after one line was added."""
    path = Path(work_dir) / 'config.py'
    path.write_text(f"_base_ = 'mmpretrain::{MMPRETRAIN[name]}.py'\n"
                    f"model = dict(type='mmregioncl.{name}')")
    cfg = Config.fromfile(path)
    loader = cfg.train_dataloader
    loader.dataset = dict(
        type='CustomDataset',
        data_root=images,
        indices=4,
        pipeline=loader.dataset.pipeline)
    loader.update(batch_size=4, num_workers=0, persistent_workers=False)
    cfg.model.backbone.update(depth=18, stem_channels=8, base_channels=8)
    cfg.model.backbone.norm_cfg.type = 'BN'
    cfg.model.neck.update(in_channels=64)
    if 'queue_len' in cfg.model:
        cfg.model.queue_len = 64
    cfg.train_cfg.max_epochs = 1
    cfg.update(work_dir=work_dir, experiment_name=name, log_level='ERROR')
    runner = Runner.from_cfg(cfg)
    assert type(runner.model).__name__ == name
    runner.train()
    return sorted(runner.message_hub.log_scalars)


def main() -> None:
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    init_default_scope(host.NAME)
    MessageHub.get_current_instance().update_info('max_iters', 100)
    found = dict(
        host=host.NAME,
        steps={name: three_steps(name)
               for name in PARENTS},
        refused={
            name: wrong_momentum(name)
            for name in ('RegionCLMoCo', 'RegionCLDenseCL', 'RegionCLBYOL')
        })
    if host.NAME == 'mmpretrain':
        found['switched'] = {}
        for name in PARENTS:
            with TemporaryDirectory() as folder:
                found['switched'][name] = switched_run(name, sys.argv[1],
                                                       folder)
    print(json.dumps(found))


if __name__ == '__main__':
    main()
