import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner


class Record(Hook):
    """Note the losses and the type of the feature maps."""

    def before_train(self, runner) -> None:
        self.losses, self.maps = [], []
        runner.model.backbone.register_forward_hook(
            lambda module, images, maps: self.maps.append(maps[-1]))

    def after_train_iter(self,
                         runner,
                         batch_idx,
                         data_batch=None,
                         outputs=None) -> None:
        self.losses.append(outputs['loss'].item())


def train(cfg, work_dir):
    cfg.update(work_dir=str(work_dir), experiment_name=str(work_dir))
    runner = Runner.from_cfg(cfg)
    runner.register_hook(record := Record())
    runner.train()
    return runner, record


def test_bfloat16_on_any_device(runner_cfg, tmp_path):
    """A real run: maps in bfloat16, losses near float32's, weights whole."""
    runner_cfg.randomness = dict(seed=0)
    plain = train(runner_cfg, tmp_path / 'plain')[1]
    runner_cfg.optim_wrapper.type = 'mmregioncl.AutocastOptimWrapper'
    runner, record = train(runner_cfg, tmp_path / 'autocast')

    assert {maps.dtype for maps in plain.maps} == {torch.float32}
    assert {maps.dtype for maps in record.maps} == {torch.bfloat16}
    torch.testing.assert_close(
        torch.tensor(record.losses),
        torch.tensor(plain.losses),
        rtol=0.02,
        atol=0)
    assert record.losses != plain.losses
    checkpoint = torch.load(tmp_path / 'autocast' / 'epoch_2.pth')
    assert {
        value.dtype
        for value in checkpoint['state_dict'].values()
        if value.is_floating_point()
    } == {torch.float32}


def test_channels_last_gives_the_same_run(runner_cfg, tmp_path):
    """And its checkpoint goes on without."""
    runner_cfg.randomness = dict(seed=0)
    plain = train(runner_cfg, tmp_path / 'plain')[1]
    runner_cfg.default_hooks.channels_last = dict(
        type='mmregioncl.ChannelsLastHook')
    record = train(runner_cfg, tmp_path / 'last')[1]
    assert plain.maps[-1].is_contiguous()
    assert record.maps[-1].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        torch.tensor(record.losses), torch.tensor(plain.losses))

    # Resumed without it, from either run
    del runner_cfg.default_hooks['channels_last']
    runner_cfg.resume = True
    resumed = []
    for name in ('plain', 'last'):
        runner_cfg.load_from = str(tmp_path / name / 'epoch_1.pth')
        resumed.append(train(runner_cfg, tmp_path / f'{name}-resumed')[1])
    torch.testing.assert_close(*(torch.tensor(run.losses) for run in resumed))
    assert len(resumed[0].losses) == 3
