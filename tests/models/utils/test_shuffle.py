import torch
from mmengine.logging import MessageHub
from torch import nn

from mmregioncl.models.utils import local_batch_norms, shuffle


def test_local_batch_norms_are_what_an_output_depends_by():
    """Definition: changing one image changes the output of another."""
    images = torch.randn(
        4, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    changed = torch.cat([images[:3], images[3:] + 1])
    for norm, train, depends in (
        (nn.BatchNorm2d(8), True, True),
        (nn.BatchNorm2d(8), False, False),
        (nn.BatchNorm2d(8, track_running_stats=False), False, True),
        (nn.GroupNorm(2, 8), True, False),
        (nn.InstanceNorm2d(8), True, False),
        (nn.Identity(), True, False),
    ):
        encoder = nn.Sequential(nn.Conv2d(8, 8, 1), norm).train(train)
        moved = not torch.equal(encoder(images)[0], encoder(changed)[0])
        assert moved == depends, norm
        assert local_batch_norms(encoder) == [norm] * depends


def test_synchronized_batch_norm_does_not_know_its_process():
    """Its statistics are of all processes, in whatever order they stand."""
    mixed = nn.Sequential(nn.SyncBatchNorm(8), nn.BatchNorm1d(8))
    assert local_batch_norms(mixed) == [mixed[1]]


def test_a_run_without_a_seed_draws_one(monkeypatch):
    hub = MessageHub.get_instance('without a seed')
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)
    assert isinstance(shuffle.shared_seed(), int)
    hub.update_info('seed', 7)
    assert shuffle.shared_seed() == 7
