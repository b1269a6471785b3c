import copy
import random
import re
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS
from mmengine.runner import Runner
from PIL import Image
from torch.utils.data import DataLoader

from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.box_store import BoxStore
from mmregioncl.evaluation import localization
from mmregioncl.models.utils import heatmap_to_boxes
from mmregioncl.visualization import read_scalars

CROP = dict(
    type='mmregioncl.ContrastiveCrop', size=32, alpha=0.1, backend='pillow')


@pytest.fixture
def ccrop_cfg(runner_cfg):
    """Boxes after epochs 2 and 4 of 5."""
    runner_cfg.train_dataloader.dataset.pipeline[1].transforms = [[CROP]]
    runner_cfg.default_hooks.boxes = dict(
        type='mmregioncl.SemanticLocalizationHook',
        warmup_epochs=2,
        interval=2,
        threshold=0.7)  # noise has no objects to tell at 0.1
    runner_cfg.default_hooks.checkpoint.interval = 1
    runner_cfg.train_cfg.max_epochs = 5
    runner_cfg.randomness = dict(seed=0)
    return runner_cfg


class Watch(Hook):
    """Note what samples were given; seed each epoch by its number."""
    priority = 'VERY_LOW'

    def __init__(self, seeded: bool) -> None:
        self.seeded = seeded
        self.boxes, self.logged = {}, []

    def before_train_epoch(self, runner) -> None:
        for seed in (random.seed, np.random.seed, torch.manual_seed):
            if self.seeded:
                seed(runner.epoch)
        dataset = runner.train_dataloader.dataset
        hand_out = dataset.pipeline.transforms[0]
        self.boxes[runner.epoch + 1] = [
            hand_out(dict(sample_idx=index))['ccrop_box']
            for index in range(len(dataset))
        ]


def train(cfg, work_dir, seeded=True):
    cfg = copy.deepcopy(cfg)
    cfg.update(work_dir=str(work_dir), experiment_name=str(work_dir))
    runner = Runner.from_cfg(cfg)
    watch = Watch(seeded)
    runner.register_hook(watch)
    runner.logger.info = Mock(side_effect=watch.logged.append)
    runner.train()
    return runner, watch


def slow_boxes(cfg, checkpoint):
    """The boxes equal those found image by image with a checkpoint."""
    model = MODELS.build(cfg.model)
    model.load_state_dict(torch.load(checkpoint)['state_dict'])
    dataset = ImageFolder(cfg.train_dataloader.dataset.data_root)
    mean, std = (
        torch.tensor(cfg.model.data_preprocessor[key]).view(3, 1, 1)
        for key in ('mean', 'std'))
    boxes = []
    for index in range(len(dataset)):
        image = Image.open(dataset.get_data_info(index)['img_path'])
        pixels = np.array(
            image.convert('RGB').resize((32, 32), Image.BILINEAR))
        view = (torch.from_numpy(pixels).permute(2, 0, 1) - mean) / std
        with torch.no_grad():
            features = model.eval().backbone(view[None].float())[-1]
        boxes.append(tuple(heatmap_to_boxes(features, (32, 32), 0.7)[0][0]))
    return torch.tensor(boxes)


def test_boxes_by_the_published_schedule(ccrop_cfg, tmp_path):
    runner, watch = train(ccrop_cfg, tmp_path / 'run')
    assert watch.boxes[1] == watch.boxes[2] == [None] * 12
    assert watch.boxes[3] == watch.boxes[4] != watch.boxes[5]
    for epoch in (2, 4):  # those of the weights at the end of the epoch
        torch.testing.assert_close(
            torch.tensor(watch.boxes[epoch + 1]),
            slow_boxes(ccrop_cfg, tmp_path / f'run/epoch_{epoch}.pth'))
    lines = [line for line in watch.logged if 'crop boxes' in line]
    assert len(lines) == 2
    assert re.match(
        r'crop boxes of 12 images found in [\d.]+ s after epoch 2: mean area '
        r'0\.\d+, [\d.]+% whole images, 0 of them degenerate maps$', lines[0])

    scalars = [
        scalar for scalar in read_scalars(runner.work_dir)
        if 'ccrop/mean_area' in scalar
    ]
    histograms = torch.load(tmp_path /
                            'run/epoch_5.pth')['ccrop']['histograms']
    for scalar, epoch in zip(scalars, (2, 4)):
        top, left, bottom, right = torch.tensor(watch.boxes[epoch + 1]).T
        areas = (bottom - top + 1 / 32) * (right - left + 1 / 32)
        assert scalar['ccrop/mean_area'] == pytest.approx(areas.mean().item())
        assert scalar['ccrop/degenerate'] == 0
        assert histograms[epoch] == np.histogram(areas, 20, (0, 1))[0].tolist()
    assert len(scalars) == len(histograms) == 2


def test_training_is_unaffected(ccrop_cfg, tmp_path, monkeypatch):
    """A pass whose boxes are thrown away leaves the same weights."""
    monkeypatch.setattr(BoxStore, 'update', lambda store, edges: None)
    ccrop_cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    weights = []
    for interval in (1, 100):
        ccrop_cfg.default_hooks.boxes.update(
            warmup_epochs=0, interval=interval)
        # Not seeded: the pass must leave the random streams alone, too.
        runner, watch = train(ccrop_cfg, tmp_path / str(interval), False)
        passes = [line for line in watch.logged if 'crop boxes' in line]
        assert len(passes) == (4 if interval == 1 else 0)
        weights.append(runner.model.state_dict())
    for name in weights[0]:
        assert torch.equal(weights[0][name], weights[1][name]), name


@pytest.mark.parametrize('epoch', [1, 2, 3])
def test_resumed_run_is_the_uninterrupted_one(ccrop_cfg, tmp_path, epoch):
    """Before, at, and after the edge of the warm-up; to the bit."""
    # Workers begin their random streams anew when a run is resumed.
    ccrop_cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    ccrop_cfg.train_cfg.max_epochs = 4
    whole, watched = train(ccrop_cfg, tmp_path / 'whole')
    ccrop_cfg.update(
        resume=True, load_from=str(tmp_path / f'whole/epoch_{epoch}.pth'))
    resumed, watch = train(ccrop_cfg, tmp_path / 'resumed')
    assert watch.boxes == {
        key: boxes
        for key, boxes in watched.boxes.items() if key > epoch
    }
    weights = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_checkpoint_without_boxes_finds_them_at_once(ccrop_cfg, tmp_path):
    """A checkpoint of a run with random crops has no boxes."""
    runner, watched = train(ccrop_cfg, tmp_path / 'run')
    path = tmp_path / 'run/epoch_2.pth'
    checkpoint = torch.load(path)
    del checkpoint['ccrop']
    torch.save(checkpoint, path)
    ccrop_cfg.update(resume=True, load_from=str(path))
    resumed, watch = train(ccrop_cfg, tmp_path / 'resumed')
    assert watch.boxes[3] == watched.boxes[3]


@pytest.mark.parametrize('change', [
    dict(indices=4),
    dict(indices=[1, 0, *range(2, 12)]),
    dict(pipeline=[dict(transforms=[[dict(CROP, size=40)]])]),
])
def test_resume_with_other_images_is_refused(ccrop_cfg, tmp_path, change):
    ccrop_cfg.train_cfg.max_epochs = 1
    train(ccrop_cfg, tmp_path / 'run')
    ccrop_cfg.update(resume=True, load_from=str(tmp_path / 'run/epoch_1.pth'))
    for step in change.pop('pipeline', []):
        ccrop_cfg.train_dataloader.dataset.pipeline[1].update(step)
    ccrop_cfg.train_dataloader.dataset.update(change)
    with pytest.raises(
            ValueError,
            match=r'epoch_1.pth belong to \[12\] images at .* '
            'resume with the data set it was trained on'):
        train(ccrop_cfg, tmp_path / 'resumed')
    # Fine-tuning on other images is another matter.
    ccrop_cfg.resume = False
    train(ccrop_cfg, tmp_path / 'loaded')


def boxes_hook(runner):
    hook, = (hook for hook in runner.hooks if hasattr(hook, 'stores'))
    return hook


@pytest.mark.parametrize('epochs, fifth', [(500, 100), (100, 20), (99, 20),
                                           (9, 2), (3, 1)])
def test_published_schedule_is_the_default(ccrop_cfg, epochs, fifth):
    for name in ('warmup_epochs', 'interval'):
        ccrop_cfg.default_hooks.boxes.pop(name)
    ccrop_cfg.train_cfg.max_epochs = epochs
    runner = Runner.from_cfg(ccrop_cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    hook = boxes_hook(runner)
    hook.before_run(runner)
    hook.before_train(runner)
    assert (hook.warmup_epochs, hook.interval) == (fifth, fifth)
    assert len(range(fifth, epochs, fifth)) <= 4  # passes


def test_longer_run_keeps_schedule_and_boxes(ccrop_cfg, tmp_path):
    for name in ('warmup_epochs', 'interval'):
        ccrop_cfg.default_hooks.boxes.pop(name)
    train(ccrop_cfg, tmp_path / 'run')  # boxes after epochs 1 to 4
    ccrop_cfg.update(resume=True, load_from=str(tmp_path / 'run/epoch_3.pth'))
    ccrop_cfg.train_cfg.max_epochs = 6
    runner, watch = train(ccrop_cfg, tmp_path / 'longer')
    assert boxes_hook(runner).warmup_epochs == 1
    assert None not in watch.boxes[4]
    assert watch.boxes[4] != watch.boxes[5]


def test_random_step_before_the_crop_is_refused(ccrop_cfg, tmp_path):
    ccrop_cfg.train_dataloader.dataset.pipeline.insert(
        1, dict(type='RandomFlip', prob=0.5))
    with pytest.raises(ValueError, match='RandomFlip comes before the crop'):
        train(ccrop_cfg, tmp_path / 'run')


def test_constant_maps_do_not_end_a_run(ccrop_cfg, tmp_path):

    class Collapse(Hook):

        def after_train_epoch(self, runner) -> None:
            with torch.no_grad():
                for weight in runner.model.backbone.parameters():
                    weight.zero_()

    ccrop_cfg.train_cfg.max_epochs = 3
    HOOKS.register_module(module=Collapse, force=True)
    ccrop_cfg.custom_hooks = [dict(type='Collapse')]
    _, watch = train(ccrop_cfg, tmp_path / 'run')
    assert watch.boxes[3] == [(0, 0, 1, 1)] * 12
    line, = [line for line in watch.logged if 'crop boxes' in line]
    assert line.endswith('100.0% whole images, 12 of them degenerate maps')


@pytest.mark.parametrize('change, message', [
    (dict(train_dataloader=dict(dataset=dict(pipeline=[]))),
     'found no crop that uses boxes: set the type of RandomResizedCrop'),
    (dict(
        train_cfg=dict(_delete_=True, type='IterBasedTrainLoop', max_iters=2)),
     'needs epochs: set train_cfg.type'),
])
def test_runs_that_cannot_use_boxes_are_refused(ccrop_cfg, change, message,
                                                tmp_path):
    ccrop_cfg.merge_from_dict(change)
    with pytest.raises(ValueError, match=message):
        train(ccrop_cfg, tmp_path / 'run')


@pytest.mark.parametrize('settings', [
    dict(warmup_epochs=-1),
    dict(warmup_epochs=1.5),
    dict(interval=0),
    dict(threshold=1),
    dict(threshold='median'),
    dict(batch_size=0),
    dict(num_workers=-1),
    dict(image_size=0),
    dict(image_size=(32, )),
    dict(image_size=40000),
])
def test_invalid_settings_are_refused(settings):
    name, = settings
    with pytest.raises(
            ValueError,
            match=f'^{name}=.* of (SemanticLocalizationHook|boxes) has to be'):
        HOOKS.build(
            dict(type='mmregioncl.SemanticLocalizationHook', **settings))


@pytest.mark.parametrize('settings', [
    dict(warmup_epochs=5),
    dict(interval=5),
])
def test_schedule_without_a_pass_is_warned_of(ccrop_cfg, tmp_path, settings):
    ccrop_cfg.default_hooks.boxes.update(settings)
    ccrop_cfg.train_cfg.max_epochs = 2
    runner = Runner.from_cfg(ccrop_cfg)
    runner.logger.warning = Mock()
    runner.train()
    said = [call.args[0] for call in runner.logger.warning.call_args_list]
    assert any('boxes will not be found in 2 epochs' in line for line in said)


def test_workers_start_as_in_training(ccrop_cfg, tmp_path, monkeypatch):
    ccrop_cfg.train_dataloader.multiprocessing_context = 'spawn'
    seen = []

    class Loader(DataLoader):

        def __init__(self, *args, **kwargs) -> None:
            seen.append(kwargs['multiprocessing_context'].get_start_method())
            super().__init__(
                *args,
                **dict(kwargs, num_workers=0, multiprocessing_context=None))

    monkeypatch.setattr(localization, 'DataLoader', Loader)
    runner = Runner.from_cfg(ccrop_cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.call_hook('before_run')
    boxes_hook(runner).find_boxes(runner, 2)
    assert seen == ['spawn']


def test_evaluation_needs_no_boxes(ccrop_cfg):
    """A runner whose training is not built, and one that was attached."""
    runner = Runner.from_cfg(ccrop_cfg)
    boxes_hook(runner).before_run(runner)
    assert not boxes_hook(runner).stores
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    for _ in range(2):
        boxes_hook(runner).before_run(runner)
    steps = runner.train_dataloader.dataset.pipeline.transforms
    assert sum(hasattr(step, 'store') for step in steps) == 1


def boxes_of_ranks(cfg: Config) -> torch.Tensor:
    """Boxes that one of several processes finds."""
    runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.call_hook('before_run')
    with torch.no_grad():  # statistics drift apart without SyncBN
        for name, value in runner.model.named_buffers():
            if 'running' in name:
                value.add_(get_rank())
    own = {n: v.clone() for n, v in runner.model.named_buffers()}
    hook = boxes_hook(runner)
    hook.find_boxes(runner, 2)
    assert all(torch.equal(own[n], v) for n, v in runner.model.named_buffers())
    return hook.stores[0].edges.clone()


def test_two_processes_find_the_same_boxes(ccrop_cfg, two_ranks):
    """Ranks share 11 images, and their batch-norm statistics differ."""
    ccrop_cfg.train_dataloader.dataset.indices = 11
    alone = boxes_of_ranks(ccrop_cfg)
    ccrop_cfg.launcher = 'pytorch'
    first, second = two_ranks(boxes_of_ranks, ccrop_cfg)
    assert len(alone.unique(dim=0)) > 1
    assert torch.equal(alone, first)
    assert torch.equal(alone, second)


def test_every_method_finds_boxes(ccrop_cfg, method, tmp_path):
    """Ours, and the parents in the host."""
    ccrop_cfg.train_cfg.max_epochs = 3
    for number, model in enumerate(method):
        ccrop_cfg.model = dict(
            model, data_preprocessor=ccrop_cfg.model.data_preprocessor)
        _, watch = train(ccrop_cfg, tmp_path / str(number))
        assert len(set(watch.boxes[3])) > 1


@pytest.mark.mmselfsup
def test_tokens_of_a_transformer(ccrop_cfg, tmp_path):
    """MoCo v3, whose backbone gives a map and a class token."""
    projector = dict(
        type='NonLinearNeck',
        in_channels=192,
        hid_channels=16,
        out_channels=16,
        with_bias=False,
        with_avg_pool=False,
        norm_cfg=dict(type='BN1d'))
    ccrop_cfg.model = dict(
        type='MoCoV3',
        base_momentum=0.99,
        data_preprocessor=ccrop_cfg.model.data_preprocessor,
        backbone=dict(
            type='MoCoV3ViT',
            arch='deit-tiny',
            img_size=32,
            patch_size=8,
            stop_grad_conv1=True),
        neck=dict(projector, vit_backbone=True),
        head=dict(
            type='MoCoV3Head',
            predictor=dict(projector, in_channels=16),
            loss=dict(type='mmregioncl.CrossEntropyLoss', loss_weight=0.4),
            temperature=0.2))
    ccrop_cfg.train_cfg.max_epochs = 3
    ccrop_cfg.default_hooks.boxes.threshold = 0.5
    _, watch = train(ccrop_cfg, tmp_path / 'run')
    assert len(set(watch.boxes[3])) > 1


@pytest.mark.parametrize('size', [(10, 14), (50, 40)])
@pytest.mark.parametrize('bands', [1, 2, 4, 12])
def test_bands_are_resized_one_by_one(bands, size):
    """Pillow would weigh those of two and four by the last, as by alpha."""
    img = np.random.default_rng(0).integers(0, 256, (30, 20, bands), 'uint8')
    resize, _ = localization.whole_image_steps(size)
    resized = resize(dict(img=img))['img']
    assert resized.shape == (*size, bands)
    for band in range(bands):
        alone = resize(dict(img=img[..., band]))['img']
        difference = np.abs(alone - resized[..., band].astype(float))
        assert difference.max() <= 1
