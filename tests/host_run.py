"""What a process with the host of its environment finds, printed as JSON."""
import json
import logging

import torch
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, init_default_scope

from mmregioncl import host
from toy import PARENTS, method_cfgs


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
    cfg = method_cfgs(name)[0]
    setting = 'momentum' if 'momentum' in cfg else 'base_momentum'
    try:
        MODELS.build({**cfg, setting: 1 - host.kept(0.999)})
    except ValueError as error:
        return str(error)
    return ''


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
    print(json.dumps(found))


if __name__ == '__main__':
    main()
