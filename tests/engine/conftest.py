from copy import deepcopy

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner


class Record(Hook):
    """Note the losses and the feature maps."""

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


@pytest.fixture
def train():
    """A real run in a folder, with more hooks, and what it recorded."""

    def run(cfg, work_dir, **hooks) -> Record:
        cfg = deepcopy(cfg)
        cfg.update(
            work_dir=str(work_dir),
            experiment_name=str(work_dir),
            randomness=dict(seed=0))
        cfg.default_hooks.update(hooks)
        runner = Runner.from_cfg(cfg)
        runner.register_hook(record := Record())
        runner.train()
        return record

    return run


@pytest.fixture
def runner_cfg(model_cfg, image_folder, tmp_path):
    """A real run at toy size: 12 images, 3 steps of 4, 2 epochs."""
    view = [dict(type='RandomResizedCrop', size=32, backend='pillow')]
    return Config(
        dict(
            model=model_cfg,
            work_dir=str(tmp_path / 'run'),
            default_scope='mmselfsup',
            experiment_name=tmp_path.name,
            log_level='ERROR',
            default_hooks=dict(
                checkpoint=dict(
                    type='CheckpointHook',
                    interval=1,
                    backend_args=dict(backend='mmregioncl.atomic'))),
            custom_hooks=[dict(type='mmregioncl.GuardHook', interval=50)],
            train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=2),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01)),
            train_dataloader=dict(
                batch_size=4,
                num_workers=1,
                drop_last=True,
                persistent_workers=True,
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='default_collate'),
                dataset=dict(
                    type='mmregioncl.ImageFolder',
                    data_root=str(image_folder),
                    pipeline=[
                        dict(type='mmregioncl.LoadImage'),
                        dict(type='MultiView', num_views=2, transforms=[view]),
                        dict(type='PackSelfSupInputs'),
                    ]))))
