from unittest.mock import Mock

import pytest
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmregioncl.hooks import FreshDataHook


class Count(Hook):
    """Note the images of each step."""

    def __init__(self) -> None:
        self.steps = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.steps.append([s.img_path for s in data_batch['data_samples']])


@pytest.fixture
def iterations(runner_cfg):
    """Two images in a step, a checkpoint after each of six."""
    runner_cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=6)
    runner_cfg.train_dataloader.update(
        batch_size=2, sampler=dict(type='InfiniteSampler', seed=0))
    pack = runner_cfg.train_dataloader.dataset.pipeline[-1]
    pack.meta_keys = ['img_path']
    runner_cfg.default_hooks.checkpoint.by_epoch = False
    runner_cfg.default_hooks.fresh_data = dict(type='mmregioncl.FreshDataHook')

    def run(**settings):
        runner_cfg.merge_from_dict(settings)
        runner = Runner.from_cfg(runner_cfg)
        count = Count()
        runner.register_hook(count)
        loaded = []
        dataset = runner.train_dataloader.dataset
        take = dataset.prepare_data
        dataset.prepare_data = lambda index: loaded.append(index) or take(index
                                                                          )
        runner.train()
        return count.steps, loaded

    return run


def test_nothing_is_loaded_again(iterations, tmp_path):
    settings = {
        'train_dataloader.num_workers': 0,
        'train_dataloader.persistent_workers': False
    }
    steps, loaded = iterations(**settings)
    # One more is looked at before training.
    assert len(steps) == 6 and len(loaded) == 13
    more, loaded = iterations(
        resume=True, load_from=str(tmp_path / 'run/iter_4.pth'))
    assert len(more) == 2 and len(loaded) == 5
    assert more != steps[:2]  # not what the run began with


def test_workers_that_have_begun_are_given_new_data(iterations, tmp_path):
    steps, _ = iterations()
    more, _ = iterations(
        resume=True, load_from=str(tmp_path / 'run/iter_1.pth'))
    assert len(more) == 5
    assert more != steps[:5]
    assert all(len(step) == 2 for step in more)


def test_batches_without_a_sampler_stay():
    loader = DataLoader(range(4), batch_sampler=[[0, 1], [2, 3]])
    loop = Mock(spec=IterBasedTrainLoop, iter=1, dataloader=loader)
    FreshDataHook().before_train_epoch(Mock(train_loop=loop))
