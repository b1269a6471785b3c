import pytest
import torch
from torch import nn

from mmregioncl.models.utils import check_weights


def test_weights_of_the_model_pass():
    model = nn.Linear(2, 3)
    weights = model.state_dict()
    checked = check_weights(model, weights)
    assert all(checked[name] is weights[name] for name in weights)


def test_prefix_of_a_wrapper_is_taken_off():
    model = nn.Linear(2, 3)
    wrapped = nn.ModuleDict(dict(module=model)).state_dict()
    assert set(check_weights(model, wrapped)) == {'weight', 'bias'}


@pytest.mark.parametrize('change, message', [
    (lambda w: w.pop('bias'), r'of 2 weights 1 missing \(such as bias\)'),
    (lambda w: w.update(extra=w['bias']), r'1 unexpected \(such as extra\)'),
    (lambda w: w.update(bias=torch.zeros(4)), r'1 misshapen \(such as bias\)'),
])
def test_other_weights_are_refused(change, message):
    model = nn.Linear(2, 3)
    weights = model.state_dict()
    change(weights)
    with pytest.raises(ValueError, match=message):
        check_weights(model, weights)
