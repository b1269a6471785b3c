from unittest.mock import Mock

import pytest
import torch
from mmengine.runner import Runner

from mmregioncl.hooks import PretrainedHook


@pytest.fixture
def fine_tune(runner_cfg, tmp_path):
    """A run of any model that has a backbone, from a checkpoint of another."""

    def run(checkpoint, **settings):
        cfg = runner_cfg
        cfg.default_hooks.pretrained = dict(
            type='mmregioncl.PretrainedHook', checkpoint=checkpoint)
        cfg.optim_wrapper.optimizer.lr = 0.
        cfg.train_cfg.max_epochs = 1
        cfg.merge_from_dict(settings)
        cfg.experiment_name = str(len(list(tmp_path.iterdir())))
        runner = Runner.from_cfg(cfg)
        runner.logger.info = Mock()
        runner.train()
        return runner

    return run


@pytest.fixture
def pretrained(model_cfg, build, tmp_path):
    torch.manual_seed(1)
    model = build(model_cfg)
    path = tmp_path / 'epoch_9.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=9)), path)
    return path


def said(runner):
    return [
        call.args[0] for call in runner.logger.info.call_args_list
        if 'backbone: ' in call.args[0]
    ]


def test_backbone_of_a_whole_checkpoint(fine_tune, pretrained):
    runner = fine_tune(str(pretrained))
    weights = torch.load(pretrained)['state_dict']
    for name, value in runner.model.backbone.named_parameters():
        assert torch.equal(value, weights[f'backbone.{name}']), name
    # The rest of the model is not touched.
    assert not torch.equal(runner.model.neck.mlp[0].weight,
                           weights['neck.mlp.0.weight'])
    count = sum('backbone.' in n and 'tracked' not in n for n in weights)
    line, = said(runner)
    assert line.startswith(
        f'backbone: {count} weights loaded from {pretrained}; 0 of ')


def test_resumed_run_keeps_its_own_weights(fine_tune, pretrained, tmp_path):
    fine_tune(str(pretrained))
    pretrained.unlink()  # not needed any more
    runner = fine_tune(
        None,  # that of the checkpoint
        resume=True,
        load_from=str(tmp_path / 'run/epoch_1.pth'),
        train_cfg=dict(max_epochs=2))
    assert not said(runner)
    # A folder of the same name, but of another checkpoint
    with pytest.raises(
            ValueError,
            match='was fine-tuned from .*epoch_9.pth, not from none: use '
            'another folder'):
        fine_tune(
            'none',
            resume=True,
            load_from=str(tmp_path / 'run/epoch_2.pth'),
            train_cfg=dict(max_epochs=3))


def test_random_weights_have_to_be_asked_for(fine_tune, pretrained):
    with pytest.raises(ValueError, match='pass it as --pretrained CHECKPOINT'):
        fine_tune(None)
    line, = said(fine_tune('none'))
    assert line.startswith('backbone: 0 weights loaded from none')


def test_frozen_parameters_are_counted(fine_tune, pretrained):
    runner = fine_tune(
        str(pretrained), model=dict(backbone=dict(frozen_stages=1)))
    line, = said(runner)
    parameters = [*runner.model.backbone.parameters()]
    frozen = sum(not p.requires_grad for p in parameters)
    assert 0 < frozen < len(parameters)
    assert line.endswith(f'; {frozen} of {len(parameters)} parameters are '
                         'frozen')


def test_nothing_is_trained_with_a_part_of_the_weights(fine_tune, pretrained,
                                                       tmp_path):
    checkpoint = torch.load(pretrained)
    del checkpoint['state_dict']['backbone.conv1.weight']
    torch.save(checkpoint, pretrained)
    with pytest.raises(ValueError, match='1 missing: conv1.weight'):
        fine_tune(str(pretrained))
    checkpoint['state_dict']['backbone.conv1.weight'] = torch.rand(1)
    torch.save(checkpoint, pretrained)
    with pytest.raises(ValueError, match='1 misshapen: conv1.weight'):
        fine_tune(str(pretrained))
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(
            ValueError,
            match=r"new='\(' of PretrainedHook is not a regular expr"):
        PretrainedHook('none', new='(')
