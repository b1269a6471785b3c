import os
import shutil
from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import pytest
import tifffile
import torch
from mmcv.transforms import BaseTransform, LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import BaseDataset, DefaultSampler
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmregioncl import host
from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.transforms.tiff import read_header
from mmregioncl.engine import checks
from mmregioncl.engine.checks import check_shared_memory, resources
from mmregioncl.engine.messages.failures import explain_failures
from mmregioncl.engine.step_memory import rehearse
from mmregioncl.evaluation import class_folder
from mmregioncl.hooks import RepresentationHealthHook, TimedCheckpointHook
from mmregioncl.hooks.guard_hook import NEVER, GuardHook
from ranks import Ranks
from toy import method_cfgs

LOADING = 'LoadImageFromFile'  # of mmcv


def tiff(values, **kwargs) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, values, **kwargs)
    return stream.getvalue()


class Poison(Hook):
    """Make one term of the loss bad from a step on."""

    def __init__(self, term: str, value: float, step: int) -> None:
        self.term, self.value, self.step = term, value, step

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == self.step:
            head, name = runner.model.head, f'loss_{self.term}'
            good = getattr(head, name)
            setattr(head, name,
                    lambda *args: good(*args) * torch.tensor(self.value))


@pytest.mark.parametrize('term', ['region', 'instance'])
@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_bad_loss_stops_the_run(runner_cfg, term, value):
    runner = Runner.from_cfg(runner_cfg)
    # In the middle of the second epoch; the host would ask after 50 steps.
    runner.register_hook(Poison(term, value, step=4))
    # A step later the weights are bad, and with them every term: only the
    # one that began is to blame.
    with pytest.raises(
            FloatingPointError,
            match=f'^loss_{term} became NaN or inf at step 5; the last good '
            'checkpoint is .*epoch_1.pth; lower the learning rate'):
        runner.train()

    checkpoints = sorted(Path(runner.work_dir).glob('*.pth'))
    assert [path.name for path in checkpoints] == ['epoch_1.pth']
    weights = torch.load(checkpoints[0])['state_dict']
    assert all(value.isfinite().all() for value in weights.values())


def test_first_bad_step_alone_is_blamed(runner_cfg):
    runner_cfg.custom_hooks[0].interval = 1
    runner = Runner.from_cfg(runner_cfg)
    runner.register_hook(Poison('region', float('nan'), step=1))
    with pytest.raises(
            FloatingPointError,
            match='^loss_region became NaN or inf at step 2; '
            'no checkpoint was written yet'):
        runner.train()


def test_checkpoint_by_iterations_is_guarded(runner_cfg):
    runner_cfg.default_hooks.checkpoint.update(
        by_epoch=False, interval=2, max_keep_ckpts=1)
    runner = Runner.from_cfg(runner_cfg)
    runner.register_hook(Poison('region', float('nan'), step=2))
    with pytest.raises(FloatingPointError, match='iter_2.pth'):
        runner.train()
    names = [path.name for path in Path(runner.work_dir).glob('*.pth')]
    assert names == ['iter_2.pth']


def test_checkpoint_of_the_last_step_is_guarded(runner_cfg):
    runner_cfg.default_hooks.checkpoint.update(by_epoch=False, interval=4)
    runner = Runner.from_cfg(runner_cfg)
    runner.register_hook(Poison('region', float('nan'), step=5))
    with pytest.raises(
            FloatingPointError, match='^loss_region .* step 6; .*iter_4.pth'):
        runner.train()


def test_a_checkpoint_by_time_is_guarded():
    """The step after the bad loss may have left the weights good."""
    guard = GuardHook()
    runner = Mock(iter=2, hooks=[])
    guard.after_train_iter(
        runner, 2, outputs=dict(loss=torch.tensor(float('nan'))))
    with pytest.raises(FloatingPointError, match='^loss .* at step 3'):
        guard.before_save_checkpoint(runner, dict(state_dict={}))


class BreakGradient(Hook):
    """Make a gradient NaN in the last step before a checkpoint."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter == 5:
            weight = runner.model.neck.mlp[0].weight
            weight.register_hook(lambda gradient: gradient * float('nan'))


def test_bad_weights_are_not_written(runner_cfg):
    runner = Runner.from_cfg(runner_cfg)
    runner.register_hook(BreakGradient())
    with pytest.raises(
            FloatingPointError,
            match='1 weights, such as neck.mlp.0.weight, became NaN or inf by '
            'step 6; the last good checkpoint is .*epoch_1.pth'):
        runner.train()
    names = [path.name for path in Path(runner.work_dir).glob('*.pth')]
    assert names == ['epoch_1.pth']


def test_a_term_may_come_and_go():
    """A loss term that is zero at first, during a warm-up, is kept."""
    hook = HOOKS.build(dict(type='mmregioncl.GuardHook'))
    runner = Mock(iter=0, work_dir='nowhere', hooks=[])
    hook.after_train_iter(runner, 0, outputs=dict(loss_a=torch.tensor(1.)))
    runner.iter = 1
    hook.after_train_iter(
        runner, 1, outputs=dict(loss_b=torch.tensor(float('inf'))))
    runner.iter = 2
    hook.after_train_iter(runner, 2, outputs=dict(loss_a=torch.tensor(1.)))
    with pytest.raises(FloatingPointError, match='^loss_b .* at step 2'):
        hook.after_train_epoch(runner)
    hook.after_train_epoch(runner)  # nothing new since


def test_a_run_survives_a_corrupt_file(runner_cfg, image_folder, tmp_path):
    folder = tmp_path / 'images'
    shutil.copytree(image_folder, folder)
    for index in range(4):
        (folder / f'broken{index}.jpg').write_bytes(b'not an image')
    runner_cfg.train_dataloader.dataset.data_root = str(folder)
    runner = Runner.from_cfg(runner_cfg)
    runner.train()
    assert runner.iter == 8  # two whole epochs of 16 files


def test_resume_continues_the_run(runner_cfg):
    """PyTorch's weights_only=True accepts the HistoryBuffer of the log."""
    runner_cfg.train_cfg.max_epochs = 1
    first = Runner.from_cfg(runner_cfg)
    first.train()

    runner_cfg.update(resume=True, experiment_name='second')
    runner_cfg.train_cfg.max_epochs = 2
    second = Runner.from_cfg(runner_cfg)
    second.load_or_resume()
    for name, value in first.model.state_dict().items():
        assert torch.equal(second.model.state_dict()[name], value), name
    second.train()
    assert second.iter == 6
    # 12 images in each of two epochs, in a queue of 32
    assert second.model.queue_ptr.item() == 24
    assert second.model.encoder_k.steps.item() == 6


@pytest.mark.parametrize('resume', [True, False])
def test_checkpoint_of_another_architecture_is_refused(runner_cfg, resume,
                                                       tmp_path):
    runner_cfg.train_cfg.max_epochs = 1
    Runner.from_cfg(runner_cfg).train()
    runner_cfg.update(
        resume=resume,
        load_from=str(tmp_path / 'run' / 'epoch_1.pth'),
        experiment_name='other')
    runner_cfg.model.backbone.update(
        type=host.qualified('ResNet_CIFAR'), depth=18)
    with pytest.raises(
            ValueError,
            match='the checkpoint does not fit RegionCLMoCo: of .* weights '
            r'\d+ missing \(such as .*\); use the config'):
        Runner.from_cfg(runner_cfg).train()


def test_weights_alone_are_not_resumed(runner_cfg, tmp_path):
    runner_cfg.update(resume=True, load_from=str(tmp_path / 'weights.pth'))
    runner = Runner.from_cfg(runner_cfg)
    torch.save(runner.model.state_dict(), runner_cfg.load_from)
    with pytest.raises(ValueError, match='cannot resume from .*weights.pth, '):
        runner.train()


@pytest.mark.parametrize('end, warned_of', [(2, False), (200, True)])
@pytest.mark.parametrize('by_epoch', [True, False])
def test_schedule_of_another_length_is_warned_of(runner_cfg, end, by_epoch,
                                                 warned_of):
    steps = 1 if by_epoch else 3  # of an epoch
    runner_cfg.param_scheduler = [
        dict(
            type='LinearLR',
            start_factor=0.1,
            by_epoch=by_epoch,
            begin=0,
            end=2),
        dict(
            type='CosineAnnealingLR',
            T_max=steps * end,
            by_epoch=by_epoch,
            begin=1,
            end=steps * end)
    ]
    runner_cfg.model.queue_len = 8
    runner = Runner.from_cfg(runner_cfg)
    runner.logger.warning = warned = Mock()
    runner.train()
    said = [call.args[0] for call in warned.call_args_list]
    unit = 'epochs' if by_epoch else 'iters'
    wanted = f'scheduled for {200 * steps} of {2 * steps} {unit}: set T_max'
    assert any(wanted in text for text in said) == warned_of


@pytest.mark.parametrize('settings, warning', [
    (dict(max_keep_ckpts=1), 'max_keep_ckpts to 2 or more'),
    (dict(queue_len=12), "queue_len=12 for 12 images: an image's own old key"),
    (dict(queue_len=11), None),
])
def test_doubtful_settings_are_warned_of(runner_cfg, settings, warning):
    if 'queue_len' in settings:
        runner_cfg.model.update(settings)
    else:
        runner_cfg.model.queue_len = 8
        runner_cfg.default_hooks.checkpoint.update(settings)
    runner = Runner.from_cfg(runner_cfg)
    runner.logger.warning = warned = Mock()
    runner.call_hook('before_train')
    said = [call.args[0] for call in warned.call_args_list]
    assert len(said) == (warning is not None)
    assert all(warning in text for text in said)


def test_fewer_images_than_a_batch_are_refused(runner_cfg):
    runner_cfg.train_dataloader.batch_size = 64
    with pytest.raises(ValueError, match='12 images are fewer than one batch'):
        Runner.from_cfg(runner_cfg).train()


def test_loading_may_be_lax():
    """The log says how much was loaded."""
    hook = HOOKS.build(dict(type='mmregioncl.GuardHook', strict_load=False))
    runner = Mock(_resume=False, model=nn.Linear(2, 2), _load_from='a.pth')
    weights = dict(weight=torch.zeros(2, 2), bias=torch.zeros(3))
    hook.after_load_checkpoint(runner, dict(state_dict=weights))
    runner.logger.info.assert_called_once_with(
        '1 of 2 weights loaded from a.pth')


def test_annotations_of_absent_images_are_refused(runner_cfg, tmp_path,
                                                  image_folder):
    runner_cfg.train_dataloader.dataset.data_root = str(tmp_path / 'images')
    shutil.copytree(image_folder, tmp_path / 'images')
    runner = Runner.from_cfg(runner_cfg)
    first = runner.train_dataloader.dataset.get_data_info(0)['img_path']
    shutil.rmtree(tmp_path / 'images')
    with pytest.raises(
            FileNotFoundError,
            match=f'^the annotations name {first}, which does not exist: set '
            'data_root or data_prefix'):
        runner.train()


def test_a_list_with_an_old_line_is_blamed(runner_cfg, image_folder, tmp_path):
    """Not the folder, where other images are."""
    listing = tmp_path / 'list.txt'
    listing.write_text('a/01.png\na/03.png\na/05.png\na/77.png\n')
    runner_cfg.train_dataloader.dataset.ann_file = str(listing)
    runner = Runner.from_cfg(runner_cfg)
    with pytest.raises(
            FileNotFoundError,
            match=f'^{listing} lists {image_folder}/a/77.png, which does not '
            'exist, while other images do: correct the list'):
        runner.call_hook('before_train')


@pytest.mark.parametrize('lines, error, words', [
    ('a/01.png\na/77.png', FileNotFoundError, '^.*list.txt lists .*a/77.png'),
    ('a/01.png\na/03.png', ValueError, '^2 images are fewer than one batch'),
])
def test_too_few_images_are_told_by_their_cause(runner_cfg, tmp_path, lines,
                                                error, words):
    """Alone, without a warning of what the run would not measure."""
    (tmp_path / 'list.txt').write_text(lines)
    runner_cfg.train_dataloader.dataset.ann_file = str(tmp_path / 'list.txt')
    runner_cfg.model.queue_len = 1
    runner_cfg.default_hooks.health = dict(
        type='mmregioncl.RepresentationHealthHook')
    runner = Runner.from_cfg(runner_cfg)
    runner.logger.warning = warned = Mock()
    with pytest.raises(error, match=words):
        runner.train()
    warned.assert_not_called()


def test_no_image_is_missing_from_an_empty_data_set(image_folder):
    dataset = ImageFolder(str(image_folder), indices=0)
    assert len(dataset) == 0
    checks.check_images(dataset)


@pytest.fixture
def deep_cfg(runner_cfg, tmp_path):
    """A run on gray images of 12 bits in 16-bit files."""
    (tmp_path / 'deep').mkdir()
    draw = np.random.default_rng(0)
    for index in range(12):
        pixels = draw.integers(0, 4096, (40, 40), 'uint16')
        cv2.imwrite(str(tmp_path / f'deep/{index}.png'), pixels)
    runner_cfg.train_dataloader.dataset.data_root = str(tmp_path / 'deep')
    runner_cfg.model.queue_len = 8
    return runner_cfg


@pytest.mark.parametrize('preprocessor, words', [
    (dict(), 'swaps red and blue, but LoadImage loads 1 channel.s.: set '
     'its bgr_to_rgb to False'),
    (dict(bgr_to_rgb=False), 'mean and std of data_preprocessor have 3 values,'
     ' but LoadImage loads 1 channel.s.: set those'),
])
def test_channels_that_do_not_fit_are_refused(deep_cfg, preprocessor, words):
    deep_cfg.train_dataloader.dataset.pipeline[0].channels = 1
    deep_cfg.model.data_preprocessor.update(preprocessor)
    runner = Runner.from_cfg(deep_cfg)
    with pytest.raises(ValueError, match=words):
        runner.call_hook('before_train')


def said_of_images(cfg, paths, content) -> list:
    """Warnings before training on copies of an image."""
    for path in paths:
        path.unlink()
        path.with_suffix('.tif').write_bytes(content)
    runner = Runner.from_cfg(cfg)
    runner.logger.warning = warned = Mock()
    checks.check_depth(runner)
    return [call.args[0] for call in warned.call_args_list]


@pytest.mark.parametrize('loading', ['mmregioncl.LoadImage', LOADING])
@pytest.mark.parametrize('kind, low, high, few', [
    ('uint16', 0, 4095, True),
    ('uint16', 60000, 60500, True),
    ('uint16', 0, 6554, False),
    ('int16', -1024, 4000, True),
    ('int16', -3000, 6000, False),
    ('uint8', 100, 110, True),
])
def test_lost_shades_are_warned_of(deep_cfg, tmp_path, loading, kind, low,
                                   high, few):
    deep_cfg.train_dataloader.dataset.pipeline[0].type = loading
    pixels = np.linspace(low, high, 1600).reshape(40, 40).astype(kind)
    said = said_of_images(deep_cfg, (tmp_path / 'deep').iterdir(),
                          tiff(pixels))
    limits = np.iinfo(kind)
    wanted = (f'images of type {kind} of train_dataloader have values from '
              f'{low} to {high}, of {limits.min} to {limits.max}, so 8 bits '
              'keep few gray levels: set value_range of mmregioncl.LoadIma')
    assert any(text.startswith(wanted) for text in said) == few
    in_part = loading == LOADING and kind == 'int16'  # OpenCV clips at zero
    assert len(said) == few + in_part


def test_lost_shades_of_an_evaluation_are_warned_of(runner_cfg, tmp_path):
    """Though the training images have 8 bits."""
    (tmp_path / 'deep/a').mkdir(parents=True)
    pixels = np.linspace(0, 4095, 1024).reshape(32, 32).astype(np.uint16)
    cv2.imwrite(str(tmp_path / 'deep/a/0.png'), pixels)
    dataset = DATASETS.build(class_folder(str(tmp_path / 'deep'), 32))
    runner = Runner.from_cfg(runner_cfg)
    runner.logger.warning = warned = Mock()
    checks.check_evaluated(runner, dataset, 'eval_datasets.test')
    said, = warned.call_args.args
    assert said.startswith('images of type uint16 of eval_datasets.test have '
                           'values from 0 to 4095')


def test_a_value_range_keeps_shades(deep_cfg):
    deep_cfg.train_dataloader.dataset.pipeline[0].value_range = (0, 4095)
    assert warnings_of(deep_cfg) == []


@pytest.mark.parametrize('loading, bands, alpha, words', [
    ('mmregioncl.LoadImage', 4, 'unspecified', ' has 4 bands, and channels=3 '
     'of LoadImage leaves out the last: set it to 4'),
    ('mmregioncl.LoadImage', 4, 'unassalpha', None),
    (LOADING, 4, 'unspecified', 'LoadImageFromFile does not read all of '),
    (LOADING, 2, 'unspecified', 'LoadImageFromFile does not read all of '),
    (LOADING, 4, 'unassalpha', None),
])
def test_bands_that_do_not_arrive_are_warned_of(deep_cfg, tmp_path, loading,
                                                bands, alpha, words):
    deep_cfg.train_dataloader.dataset.pipeline[0].type = loading
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, bands), 'u1')
    content = tiff(
        pixels,
        photometric='rgb' if bands == 4 else 'minisblack',
        planarconfig='contig',
        extrasamples=[alpha])
    said = said_of_images(deep_cfg, (tmp_path / 'deep').iterdir(), content)
    assert len(said) == (words is not None)
    assert not said or words in said[0]


@pytest.mark.parametrize('kind, bands, warned', [
    ('f4', 1, False),
    ('i2', 1, False),
    ('u1', 4, False),
    ('u1', 2, True),
])
def test_what_opencv_reads_unchanged_is_not_warned_of(kind, bands, warned):
    content = tiff(
        np.ones((8, 8, bands)[:2 + (bands > 1)], kind),
        photometric='rgb' if bands == 4 else 'minisblack',
        planarconfig='contig' if bands > 1 else None)
    load = LoadImageFromFile(color_type='unchanged')
    assert [
        *checks.images.bands_left_out(load, 'a.tif', read_header(content))
    ] == [
        'LoadImageFromFile does not read all of a.tif: set the type of '
        'LoadImageFromFile to mmregioncl.LoadImage'
    ] * warned


def test_only_opencv_leaves_bands_out():
    """Other decoders may read them all."""
    content = tiff(
        np.ones((8, 8, 2), 'u1'),
        photometric='minisblack',
        planarconfig='contig')
    assert not [
        *checks.images.bands_left_out(LoadImageFromStore(), 'a.tif',
                                      read_header(content))
    ]


@pytest.mark.parametrize('loading, words', [
    ('mmregioncl.LoadImage', 'it has values of type float32: set value_ra'),
    (LOADING, 'failed .*: set the type of LoadImageFromFile to mmregioncl.Lo'),
])
def test_images_of_which_none_can_be_read_are_refused(deep_cfg, tmp_path,
                                                      loading, words):
    deep_cfg.train_dataloader.dataset.pipeline[0].type = loading
    with pytest.raises(
            ValueError,
            match='^none of 8 images that were tried can be read, such as '
            f'{tmp_path}/deep/0.tif: {words}'):
        said_of_images(deep_cfg, (tmp_path / 'deep').iterdir(),
                       tiff(np.zeros((40, 40), np.float32)))


class PowerNoise(BaseTransform):
    """A transform of a user, with an exponent."""


@pytest.mark.parametrize('step, words', [
    (dict(type='torchvision/RandomHorizontalFlip', p=1.5),
     'p=1.5 of torchvision/RandomHorizontalFlip has to be a probability'),
    (dict(type=host.qualified('RandomErasing'),
          erase_prob=-0.1), 'erase_prob=-0.1 of RandomErasing has'),
    (dict(type='RandomFlip', prob=[0.5, float('nan')
                                   ]), 'prob=nan of RandomFlip has'),
    (dict(type='RandomFlip', prob=[0, 1]), None),
    (dict(type='RandomApply', prob=0.5, p='other'), None),
    (dict(type=PowerNoise, p=2), None),
])
@pytest.mark.parametrize(
    'place',
    ['train_dataloader.dataset.pipeline.0', 'model.data_preprocessor.views'])
def test_transforms_take_what_is_possible(step, words, place):
    """A pooling layer may have a p of its own."""
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=dict(pipeline=[])),
            model=dict(neck=dict(type='GeM', p=3), data_preprocessor={})))
    views = dict(type='MultiView', transforms=[[step]])
    if 'views' in place:
        cfg.model.data_preprocessor.views = views
    else:
        cfg.train_dataloader.dataset.pipeline = [views]
    if words is None:
        checks.check_transforms(Mock(cfg=cfg))
        return
    with pytest.raises(ValueError, match=f'^{place}.transforms.0.0.{words}'):
        checks.check_transforms(Mock(cfg=cfg))


class LoadImageFromStore:
    """A step of a user, which reads by key and has no setting of mmcv's."""

    def __call__(self, results: dict) -> dict:
        if results['img_path'] not in ('key0', 'key1'):
            raise KeyError(results['img_path'])
        return dict(results, img=np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize('key, fits', [('key1', True), ('key2', False)])
def test_images_need_not_be_files(key, fits):
    """Only the step that loads them has to find them."""
    dataset = BaseDataset(
        serialize_data=False, lazy_init=True, pipeline=[LoadImageFromStore()])
    dataset.data_list = [dict(img_path=key)]
    dataset._fully_initialized = True
    runner = Mock(train_dataloader=Mock(dataset=dataset))
    if fits:
        checks.check_depth(runner)
        runner.logger.warning.assert_not_called()
        return
    with pytest.raises(ValueError, match='none of 1 images .* as key2: .key2'):
        checks.check_depth(runner)


def warnings_of(cfg) -> list:
    """What a run warns of before its first step."""
    runner = Runner.from_cfg(cfg)
    runner.logger.warning = warned = Mock()
    runner.call_hook('before_train')
    runner.call_hook('before_train_epoch')
    return [call.args[0] for call in warned.call_args_list]


@pytest.mark.parametrize('free, advice', [
    (2**21, 'set train_dataloader.batch_size=4 to 2, or add mmregioncl.Gradi'),
    (2**10, 'batch_size=4 and the size of the views lower, or add'),
    (2**30, None),
])
def test_a_step_that_does_not_fit_is_warned_of(runner_cfg, monkeypatch, free,
                                               advice):
    monkeypatch.setattr(resources, 'MOST_PER_BYTE', 2**20)
    monkeypatch.setattr(resources, 'free_memory', lambda device: free)
    monkeypatch.setattr(resources, 'present', lambda runner: 0)
    # 0.5 MiB for each image and 0.25 MiB for weights
    monkeypatch.setattr(resources, 'estimate_step',
                        lambda runner, views, batch: 2**19 * batch + 2**18)
    runner_cfg.model.queue_len = 8
    said = warnings_of(runner_cfg)
    assert len(said) == (advice is not None)
    assert all(advice in text for text in said)


def test_small_batches_cost_no_estimate(runner_cfg, monkeypatch):
    monkeypatch.setattr(resources, 'estimate_step', Mock(side_effect=OSError))
    runner_cfg.model.queue_len = 8
    assert warnings_of(runner_cfg) == []


def test_the_check_leaves_the_run_alone(seeded_runner_cfg, train, tmp_path,
                                        monkeypatch):
    """Losses of a run whose first step was estimated equal those without."""
    monkeypatch.setattr(resources, 'free_memory', lambda device: 0)
    with_check = train(seeded_runner_cfg, tmp_path / 'with')
    seeded_runner_cfg.custom_hooks = []
    without = train(seeded_runner_cfg, tmp_path / 'without')
    assert with_check.losses == without.losses


@pytest.mark.parametrize('batch, model, words', [
    (11, {}, 'has 1 of 11 images, but RegionCLMoCo needs 2: set train_dataload'
     'er.drop_last=True'),
    (5, {}, None),
    (9, dict(method_cfgs('RegionCLSimSiam')[0]), 'RegionCLSimSiam needs 4'),
    (3, dict(
        method_cfgs('RegionCLSimSiam')[0]), 'images: set it to 4 or more'),
    (11, dict(method_cfgs('RegionCLSimSiam')[1]), 'SimSiam needs 2'),
])
def test_a_last_batch_is_looked_at_before_training(runner_cfg, batch, model,
                                                   words):
    """Of 12 images with drop_last=False."""
    if model:
        runner_cfg.model = dict(
            model, data_preprocessor=runner_cfg.model.data_preprocessor)
    runner_cfg.train_dataloader.update(batch_size=batch, drop_last=False)
    runner = Runner.from_cfg(runner_cfg)
    if words is None:
        runner.train()
        assert runner.iter == 6  # batches of 5, 5 and 2
        return
    with pytest.raises(ValueError, match=words):
        runner.train()
    assert runner.iter == 0


@pytest.mark.parametrize('batch, drop_last, fits', [(4, True, True),
                                                    (5, True, False),
                                                    (8, False, True),
                                                    (8, True, True),
                                                    (10, False, False)])
def test_queue_of_the_parent_is_a_multiple(runner_cfg, batch, drop_last, fits):
    runner_cfg.model = dict(
        method_cfgs('RegionCLMoCo')[1],
        queue_len=8,
        data_preprocessor=runner_cfg.model.data_preprocessor)
    runner_cfg.train_dataloader.update(batch_size=batch, drop_last=drop_last)
    runner = Runner.from_cfg(runner_cfg)
    if fits:
        runner.call_hook('before_train')
        return
    with pytest.raises(ValueError, match='queue_len=8 of MoCo is not a multi'):
        runner.train()


def test_uneven_processes_are_refused(runner_cfg):
    runner_cfg.train_dataloader.sampler.round_up = False
    runner = Runner.from_cfg(runner_cfg)
    checks.check_batches(runner)
    runner._world_size = 5
    with pytest.raises(ValueError, match='12 images cannot be split evenly a'):
        checks.check_batches(runner)


def refusal_of_rank(cfg: Config) -> str:
    """What a run says on rank 1 of which an image is missing."""
    if get_rank() == 1:
        cfg.train_dataloader.dataset.indices = 11
    with pytest.raises(ValueError) as info:
        Runner.from_cfg(cfg).train()
    return str(info.value)


def test_ranks_with_other_data_are_named(runner_cfg, two_ranks):
    runner_cfg.launcher = 'pytorch'
    runner_cfg.train_dataloader.update(
        batch_size=2, num_workers=0, persistent_workers=False, drop_last=False)
    said = two_ranks(refusal_of_rank, runner_cfg)
    assert said == 2 * [
        'rank 1 has 3 batches of 2, the last of 2, from 11 images, but rank 0 '
        'has 3 batches of 2, the last of 2, from 12 images: use the same '
        'data and batch_size on all processes in train_dataloader'
    ]


def stop_of_rank() -> str:
    """What GuardHook says where the loss of rank 1 was bad in step 3."""
    guard = GuardHook()
    guard.first_bad = dict(loss=torch.tensor((NEVER, 3)[get_rank()]))
    with pytest.raises(FloatingPointError) as info:
        guard.check_losses(Mock())
    return str(info.value)


def test_all_ranks_stop_if_a_loss_of_one_is_bad(two_ranks):
    first, second = two_ranks(stop_of_rank)
    assert first.startswith('loss became NaN or inf at step 3')
    assert second.startswith('loss became NaN or inf at step 3')


class Uneven(Hook):
    """Let rank 1 lose an image of a batch, or a batch of the epoch."""
    priority = 'VERY_LOW'

    def __init__(self, loses: str) -> None:
        self.loses = loses

    def before_train(self, runner) -> None:
        loader = runner.train_dataloader
        if runner.rank == 1 and self.loses == 'image':
            collate = loader.collate_fn
            loader.collate_fn = lambda samples: collate(samples[1:])
        if runner.rank == 1 and self.loses == 'batch':
            DefaultSampler.__iter__ = lambda sampler: iter([0, 1, 2, 3])


def train_unevenly(cfg: Config, loses: str, folder: Path) -> None:
    runner = Runner.from_cfg(cfg)
    runner.register_hook(Uneven(loses))
    try:
        explain_failures(runner.train)
    except Exception as said:
        (folder / f'{runner.rank}').write_text(str(said))
    os._exit(1)


@pytest.mark.parametrize('loses, said', [
    ('image', 'rank 1 has 1 images in step 1, but other processes expect 2'
     ': make sure that data set and collate_fn'),
    ('batch', 'rank 1 has 2 batches in epoch 1, but other processes expect 3'
     ': make sure that the sampler'),
])
def test_uneven_batches_end_all_ranks(runner_cfg, tmp_path, loses, said):
    """Gloo itself aborts, or hands out wrong numbers; NCCL hangs."""
    runner_cfg.launcher = 'pytorch'
    runner_cfg.train_dataloader.update(
        batch_size=2, num_workers=0, persistent_workers=False)
    assert Ranks(2).end(train_unevenly, runner_cfg, loses, tmp_path) == [1, 1]
    assert (tmp_path / '1').read_text().startswith(said)
    assert (tmp_path / '0').read_text().startswith(
        f'rank 0: another process ended: rank 1: ValueError: {said}')


def test_channels_of_the_views_are_those_of_the_backbone(runner_cfg):
    runner_cfg.model.backbone.in_channels = 1
    with pytest.raises(
            ValueError,
            match='views have 3 channels, but the backbone expects 1: set '
            'model.backbone.in_channels=3'):
        Runner.from_cfg(runner_cfg).train()


@pytest.mark.parametrize('settings, words', [
    ({
        'region_swap.size': (3, 4)
    },
     'a region of 4x4 cells does not fit or leaves no canvas on the 4x4 grid'),
    ({
        'region_swap.stride': 16
    }, 'not the stride=16 of RegionSwap: set its'),
    ({
        'neck.in_channels': 32
    }, 'maps of .64. channels, but the neck expects '),
])
def test_what_the_first_step_refuses_is_refused_before(runner_cfg, monkeypatch,
                                                       settings, words):
    monkeypatch.setattr(checks.views, 'rehearse', rehearse)
    runner_cfg.merge_from_dict({
        f'model.{key}': value
        for key, value in settings.items()
    })
    runner = Runner.from_cfg(runner_cfg)
    with pytest.raises(ValueError, match=words):
        runner.call_hook('before_train')


@pytest.mark.parametrize('stem, size, said', [('ResNet', None, True),
                                              ('ResNet', (1, 1), False),
                                              ('ResNet_CIFAR', None, False)])
def test_regions_of_one_cell_are_warned_of(runner_cfg, monkeypatch, stem, size,
                                           said):
    """A ResNet makes 1x1 cells of 32 pixels, and here 2x2."""
    monkeypatch.setattr(checks.views, 'rehearse', rehearse)
    runner_cfg.model.backbone.type = f'mmregioncl.Toy{stem}'
    if stem == 'ResNet':
        runner_cfg.model.backbone.strides = (1, 2, 2, 1)
        runner_cfg.model.backbone.dilations = (1, 1, 1, 1)
    runner_cfg.model.region_swap = dict(size=size)
    assert any(
        text.startswith(
            'on the 2x2 feature map every region is a single cell: '
            'use views of 112 pixels, which give 7x7, or a ')
        for text in warnings_of(runner_cfg)) == said


@pytest.mark.parametrize('keep, most', [(-1, 55), (5, 10), (4, None)])
def test_checkpoints_that_do_not_fit_are_warned_of(tmp_path, monkeypatch, keep,
                                                   most):
    """Beside those kept: two by time, two best ones, the one being written.

    9 of 1 MiB fit. A link to nowhere does not matter.
    """
    (tmp_path / 'latest.pth').symlink_to('epoch_10.pth')
    monkeypatch.setattr(resources.shutil, 'disk_usage',
                        lambda folder: Mock(free=9 * 2**20))
    monkeypatch.setattr(resources, 'present', lambda runner: 2**20)
    monkeypatch.setattr(resources, 'missing_states', lambda runner: 0)
    hook = TimedCheckpointHook(
        interval=1,
        max_keep_ckpts=keep,
        save_best=['acc', 'loss'],
        out_dir=str(tmp_path))
    runner = Mock(hooks=[hook], max_epochs=50)
    checks.check_disk(runner)
    said = [call.args[0] for call in runner.logger.warning.call_args_list]
    assert len(said) == (most is not None)
    assert all(f'up to {most} checkpoints of' in text for text in said)


def test_absent_images_of_an_evaluation_are_refused(runner_cfg, image_folder,
                                                    tmp_path):
    folder = tmp_path / 'labelled'
    shutil.copytree(image_folder, folder)
    runner = Runner.from_cfg(runner_cfg)
    hook = RepresentationHealthHook()
    dataset = DATASETS.build(
        dict(type='mmregioncl.ImageFolder', data_root=str(folder)))
    hook.evaluated = {'eval_datasets.test': dataset}
    runner.register_hook(hook)
    shutil.rmtree(folder)
    with pytest.raises(FileNotFoundError, match='set in eval_datasets.test$'):
        runner.train()


class Edges(nn.Module):
    """A stem that makes two channels of three, as MMSelfSup's ResNetSobel."""

    def __init__(self, takes: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3)
        self.takes = takes

    def forward(self, views):
        return self.conv(views[:, :2] if self.takes == 3 else views)


def test_other_stems_are_not_judged_by_their_first_layer():
    views = [torch.zeros(1, 3, 8, 8)]
    checks.check_channels(Mock(backbone=Edges(3)), views)
    with pytest.raises(ValueError, match='views have 3 .* expects 2: set'):
        checks.check_channels(Mock(backbone=Edges(2)), views)


def test_little_shared_memory_is_told(monkeypatch):
    """4 batches of 8 images of two views of 3 MB."""
    views = [torch.zeros(3, 10**6, dtype=torch.uint8)] * 2
    runner = Mock()
    runner.train_dataloader = DataLoader([dict(inputs=views)],
                                         batch_size=8,
                                         num_workers=2,
                                         prefetch_factor=2)
    for free, told in ((193e6, False), (191e6, True)):
        monkeypatch.setattr(
            resources.shutil,
            'disk_usage',
            lambda path, free=free: Mock(free=free))
        check_shared_memory(runner, dict(inputs=views))
        assert runner.logger.warning.called == told
    assert runner.logger.warning.call_args[0][0].startswith(
        'prefetched batches may take 183.1 MiB of shared memory, and 182.2 M')
    runner.train_dataloader = DataLoader([dict(inputs=views)])
    runner.logger.warning.reset_mock()
    check_shared_memory(runner, dict(inputs=views))  # no workers
    assert not runner.logger.warning.called


def test_more_workers_than_cores_are_told_once(monkeypatch):
    monkeypatch.setattr(resources, 'cores_per_process', lambda: 4)
    for workers, told in ((4, False), (5, True)):
        runner = Mock()
        runner.train_dataloader.num_workers = workers
        checks.check_workers(runner)
        assert runner.logger.warning.called == told
    assert runner.logger.warning.call_args[0][0] == (
        '5 data workers on 4 processor cores per process take memory and are '
        'rarely faster: set train_dataloader.num_workers=4')


def test_views_that_are_not_packed_are_refused(runner_cfg):
    runner_cfg.train_dataloader.dataset.pipeline.pop()
    with pytest.raises(ValueError, match='not pack views for the model: app'):
        Runner.from_cfg(runner_cfg).train()
