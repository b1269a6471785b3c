import torch


def test_bfloat16_on_any_device(train, runner_cfg, tmp_path):
    """Maps are bfloat16, losses close to float32, and weights float32."""
    plain = train(runner_cfg, tmp_path / 'plain')
    runner_cfg.optim_wrapper.type = 'mmregioncl.AutocastOptimWrapper'
    record = train(runner_cfg, tmp_path / 'autocast')

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


def test_channels_last_gives_the_same_run(train, runner_cfg, tmp_path):
    """Its checkpoint can be resumed without the hook."""
    plain = train(runner_cfg, tmp_path / 'plain')
    runner_cfg.default_hooks.channels_last = dict(
        type='mmregioncl.ChannelsLastHook')
    record = train(runner_cfg, tmp_path / 'last')
    assert plain.maps[-1].is_contiguous()
    assert record.maps[-1].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(
        torch.tensor(record.losses), torch.tensor(plain.losses))

    # Resume either run without it.
    del runner_cfg.default_hooks['channels_last']
    runner_cfg.resume = True
    resumed = []
    for name in ('plain', 'last'):
        runner_cfg.load_from = str(tmp_path / name / 'epoch_1.pth')
        resumed.append(train(runner_cfg, tmp_path / f'{name}-resumed'))
    torch.testing.assert_close(*(torch.tensor(run.losses) for run in resumed))
    assert len(resumed[0].losses) == 3
