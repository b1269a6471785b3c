import random

import numpy as np
import torch
from torch import nn

from mmregioncl.evaluation.frozen import frozen_evaluation


def test_nothing_is_left_behind():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    model[1].eval()  # a part that is frozen
    before = {
        name: value.clone()
        for name, value in model.state_dict().items()
    }

    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()

    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = draw()
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    with frozen_evaluation(model) as inside:
        assert not any(part.training for part in inside.modules())
        assert not inside(torch.rand(2, 3)).requires_grad
        draw()
        inside[1].running_mean += 1
    assert draw() == expected
    assert [part.training for part in model] == [True, False, True]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])
    assert model(torch.rand(2, 3)).requires_grad


def test_also_after_an_error():
    model = nn.BatchNorm1d(4)
    try:
        with frozen_evaluation(model):
            raise RuntimeError
    except RuntimeError:
        assert model.training
