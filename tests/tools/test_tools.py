"""The tools as a user calls them: real files, and a real process of each."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from mmengine.registry import MODELS
from mmengine.runner import Runner
from PIL import Image

from mmregioncl.datasets.digits import write_digits
from mmregioncl.engine.launch import RANKS
from mmregioncl.engine.signals import STOP_SIGNALS
from mmregioncl.hooks import RunSummaryHook

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / 'tools'
CONFIG = (
    ROOT / 'configs/regioncl' /
    'regioncl-m_resnet18-w16_1xb32-coslr-20e_digits.py')

# Each tool has a process of its own, which need not import packages again.
HELP = """
import gc, os, runpy, sys
import mmregioncl.hooks
gc.freeze()
for tool in sys.argv[1:]:
    sys.stdout.flush()
    if not os.fork():
        sys.path[0], sys.argv = os.path.dirname(tool), [tool, '--help']
        try:
            runpy.run_path(tool, run_name='__main__')
        except SystemExit as end:
            sys.stdout.flush()
            os._exit(end.code or 0)  # without freeing the memory first
    assert os.wait()[1] == 0, tool
"""


def test_a_process_of_each(run_python):
    tools = [
        path for path in TOOLS.rglob('*.py')
        if 'ArgumentParser(' in path.read_text()
    ]
    assert len(tools) >= 20
    done = run_python('-c', HELP, *tools)
    assert re.findall(r'^usage: (\S+)', done.stdout,
                      re.M) == [path.name for path in tools]


@pytest.fixture(scope='module')
def digits(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp('data') / 'digits')


@pytest.fixture
def options(digits):
    """Command-line settings for a short run: 96 digits, 3 steps an epoch."""
    return [
        '--cfg-options', f'train_dataloader.dataset.data_root={digits}/train',
        'train_dataloader.dataset.indices=96', 'train_cfg.max_epochs=1',
        'default_hooks.checkpoint.interval=1',
        f'eval_datasets.train.data_root={digits}/train',
        f'eval_datasets.test.data_root={digits}/test',
        'eval_datasets.train.indices=201', 'eval_datasets.test.indices=16',
        'default_hooks.health.samples=16'
    ]


def test_train_restart_and_knn(run_tool, tmp_path, digits, options,
                               monkeypatch):
    """A job that Slurm starts again resumes without being asked."""
    command = ['train.py', CONFIG]
    options += ['default_hooks.linear=None', 'default_hooks.health=None']
    run_tool(*command, *options)
    work_dir = tmp_path / 'work_dirs' / CONFIG.stem  # named after the config
    assert (work_dir / 'epoch_1.pth').exists()

    options[3] = 'train_cfg.max_epochs=2'
    with monkeypatch.context() as patch:
        patch.setenv('SLURM_RESTART_COUNT', '1')
        done = run_tool(*command, *options)
    assert 'epoch_1.pth' in done.stdout + done.stderr
    checkpoint = torch.load(work_dir / 'epoch_2.pth')
    assert checkpoint['meta']['iter'] == 6
    # 2 epochs of 96 images in a queue of 512
    assert checkpoint['state_dict']['queue_ptr'].item() == 192

    folders = ['--train', f'{digits}/train', '--test', f'{digits}/test']
    done = run_tool('evaluation/knn.py', CONFIG, work_dir / 'epoch_2.pth',
                    *folders, '--k', '1', '20')
    lines = [line for line in done.stdout.splitlines() if 'accuracy' in line]
    assert [line.split('(')[1][:5] for line in lines] == ['k=1, ', 'k=20,']
    assert all(0.5 < float(line.split()[2]) < 1 for line in lines)


def test_a_dry_run_tells_and_leaves_nothing(run_tool, tmp_path, options):
    """Three steps of 96 digits, with all hooks of the config."""
    backbone = MODELS.build(
        dict(
            type='mmregioncl.ResNet_CIFAR',
            depth=18,
            stem_channels=16,
            base_channels=16))
    torch.save(backbone.state_dict(), tmp_path / 'backbone.pth')
    before = [*tmp_path.iterdir()]
    done = run_tool('train.py', CONFIG, '--dry-run', *options,
                    'default_hooks.checkpoint.by_epoch=False',
                    'default_hooks.checkpoint.out_dir=elsewhere',
                    'load_from=backbone.pth')
    assert [*tmp_path.iterdir()] == before
    lines = dict(
        line.split(maxsplit=1) for line in done.stdout.splitlines()
        if line[:1].isalpha())
    assert lines['batch'].startswith('2 tensors of (32, 3, 24, 24) from 96 im')
    assert lines['backbone'] == '(32, 3, 24, 24) to (32, 128, 3, 3)'
    assert lines['regions'] == ('sides of 1 to 2 cells of 8 pixels, on a grid '
                                'of 3x3 cells')
    assert lines['weights'].startswith('733,200 learned, 733,200 frozen or')
    assert re.match(r'about \d+\.\d MiB in a step', lines['memory'])
    assert re.match(r'loss [\d.]+, loss_instance ', lines['losses'])
    assert lines['steps'] == '3 in an epoch, 3 in all, on 1 process(es)'
    assert ' for an epoch and ' in lines['time']
    assert lines['loaded'].startswith('backbone: 100 weights loaded into bac')
    assert lines['log'] == ('at the end of each epoch, to terminal, log '
                            'file and scalars.json')
    assert lines['checkpoints'].startswith('every step and 15 minutes')
    assert 'OnlineKNNHook after the last ' in lines['evaluations']
    assert f'work_dirs/{CONFIG.stem}, where nothing was' in lines['work']
    with pytest.raises(ValueError, match="save_best='acc' of Timed"):
        run_tool('train.py', CONFIG, '--dry-run', *options,
                 'default_hooks.checkpoint.save_best=acc')


@pytest.mark.slow
def test_two_ranks_restart_and_resume_if_one_dies(tmp_path, options):
    """The launcher script with torchrun, on gloo where there is no GPU."""
    (tmp_path / 'deadly.py').write_text("""
import os
import signal

from mmengine.config import config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

# Formatting the config takes each process seconds.
config.FormatCode = lambda text, **kwargs: (text, True)


@HOOKS.register_module()
class Deadly(Hook):

    def before_train_iter(self, runner, *args, **kwargs):
        first = os.environ['TORCHELASTIC_RESTART_COUNT'] == '0'
        if (runner.rank, runner.iter) == (1, 2) and first:
            os.kill(os.getpid(), signal.SIGKILL)
""")
    (tmp_path / 'config.py').write_text(f"""
_base_ = {str(CONFIG)!r}
custom_imports = dict(imports=['deadly'])
custom_hooks = [dict(type='Deadly')]
""")
    with socket.socket() as free:
        free.bind(('', 0))
        port = str(free.getsockname()[1])
    options[2:4] = [
        'train_dataloader.dataset.indices=32', 'train_dataloader.batch_size=8',
        'train_cfg.max_epochs=2'
    ]
    done = subprocess.run([
        'bash', TOOLS / 'dist_train.sh', 'config.py', '2', '--work-dir', 'run',
        *options, 'train_dataloader.num_workers=0',
        *(f'default_hooks.{name}=None' for name in ('knn', 'linear', 'health'))
    ],
                          cwd=tmp_path,
                          env=dict(
                              os.environ,
                              PATH=f'{Path(sys.executable).parent}:'
                              f'{os.environ["PATH"]}',
                              PYTHONPATH=f'{tmp_path}:'
                              f'{os.environ.get("PYTHONPATH", "")}',
                              PORT=port,
                              MAX_RESTARTS='1',
                              CUDA_VISIBLE_DEVICES='',
                              OMP_NUM_THREADS='1'),
                          capture_output=True,
                          text=True,
                          timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert 'resumed epoch: 1, iter: 2' in done.stdout + done.stderr
    assert 'rank 0: another process ended or hangs: look' in done.stderr
    assert 'failed (exitcode: -9) local_rank: 1' in done.stderr
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_2.pth')
    # 32 images over 2 ranks of 8: two steps of 16 keys in an epoch
    assert checkpoint['meta']['iter'] == 4
    assert checkpoint['state_dict']['queue_ptr'].item() == 64


def test_a_job_that_is_told_to_stop_is_queued_again(tmp_path):
    """By the script that is submitted to Slurm, of which this has none."""
    commands = dict(
        sbatch='echo sbatch "$@" >> log; SLURM_JOB_ID=7 bash',
        srun='echo srun "$@" >> log; exit $CODE',
        scontrol='echo scontrol "$@" >> log')
    for name, script in commands.items():
        path = tmp_path / name
        path.write_text(f'#!/bin/bash\n{script}\n')
        path.chmod(0o755)

    def submit(code: int) -> list:
        (tmp_path / 'log').write_text('')
        done = subprocess.run([
            'bash', TOOLS / 'slurm_train.sh', 'gpus', 'a job', 'a config.py',
            '--cfg-options', 'model.names=[1, 2]'
        ],
                              cwd=tmp_path,
                              env=dict(
                                  os.environ,
                                  PATH=f'{tmp_path}:{os.environ["PATH"]}',
                                  CODE=str(code),
                                  GPUS='4',
                                  SBATCH_ARGS='--time 60'))
        lines = (tmp_path / 'log').read_text().splitlines()
        return [done.returncode, *lines]

    code, submitted, run, requeued = submit(75)
    assert '--job-name=a job --gres=gpu:8 --ntasks=4' in submitted
    assert '--signal=USR1@300 --requeue --open-mode=append' in submitted
    assert submitted.endswith('--time 60')
    assert run.startswith(
        'srun --kill-on-bad-exit=1 --cpus-per-task=5 python -u ')
    assert run.endswith('train.py a config.py --launcher slurm --cfg-options '
                        'model.names=[1, 2]')
    assert (code, requeued) == (0, 'scontrol requeue 7')
    for other in (0, 1):
        code, *lines = submit(other)
        assert code == other and len(lines) == 2


@pytest.mark.parametrize('method', ['RegionCLMoCo', 'MoCo'])
def test_browse_views_of_any_config(run_tool, tmp_path, digits, method):
    """It works for a method without region swapping, too."""
    config = tmp_path / 'config.py'
    config.write_text(f"""
_base_ = {str(CONFIG)!r}
if {method!r} == 'MoCo':
    model = dict(_delete_=True, type='MoCo', backbone=dict(
        type='mmregioncl.ResNet_CIFAR', depth=18))
""")
    for name in ('a.png', 'b.png'):
        run_tool('analysis_tools/browse_views.py', config, name, '--count',
                 '4', '--seed', '1', '--cfg-options',
                 f'train_dataloader.dataset.data_root={digits}/train')
    sheet = Image.open(tmp_path / 'a.png').convert('RGB')
    assert sheet.size[0] > 400
    assert sheet.tobytes() == Image.open(tmp_path /
                                         'b.png').convert('RGB').tobytes()


def test_sheets_look_at_the_data_first(run_tool, tmp_path):
    """An archive that its data set does not know, and a missing folder."""
    with zipfile.ZipFile(tmp_path / 'x.zip', 'w') as archive:
        archive.writestr('a/1.png', '')
    for root, words in ((tmp_path / 'x.zip', f'write archive://{tmp_path}/x.'),
                        ('/nowhere', 'reads /nowhere, which does not exist')):
        done = run_tool(
            'analysis_tools/browse_views.py',
            CONFIG,
            'a.png',
            '--cfg-options',
            'train_dataloader.dataset.type=CustomDataset',
            f'train_dataloader.dataset.data_root={root}',
            check=False)
        assert words in done.stderr.splitlines()[-1]


def test_browse_boxes(run_tool, tmp_path, digits):
    """The config has no ContrastiveCrop, and the weights are random."""
    run_tool('analysis_tools/browse_boxes.py', CONFIG, 'none', 'new/b.png',
             '--count', '3', '--cfg-options',
             f'train_dataloader.dataset.data_root={digits}/train')
    assert Image.open(tmp_path / 'new/b.png').size[0] > 800


def test_localization(run_tool, tmp_path, digits):
    """Each digit is the lower half of its image, as the file says."""
    images = digits / 'test'
    (tmp_path / 'objects.txt').write_text('\n'.join(
        f'{path.name}\tn\t0\t32\t63\t63' for path in images.rglob('*.png')))
    done = run_tool('evaluation/localization.py', CONFIG, 'none', '--images',
                    images, '--objects', 'objects.txt', '--count', '8',
                    '--thresholds', '0.5', 'mean', '--workers', '0')
    assert done.stdout.startswith('8 images with 1.0 objects on average, at '
                                  '24x24 pixels')
    rows = dict(re.findall(r'^(\S.*?) {2,}(\d\.\d.*)$', done.stdout, re.M))
    # Half of the whole image, and a quarter of that of the center and object
    assert rows['whole image'].split()[:6] == [
        '1.000', '±0.000', '1.000', '+0.000', '±0.000', '0.500'
    ]
    assert rows['center, half the sides'].split()[5] == '0.200'
    assert {'random crops', 'threshold 0.5', 'threshold mean'} < rows.keys()


@pytest.mark.parametrize('settings, said', [
    (('--objects', 'none.txt'),
     'there is no file none.txt: pass the annotations of the images\n'),
    (('--objects', 'objects.txt', '--thresholds', '2'),
     "threshold='2' of boxes has to be in [0, 1), or \"mean\"\n"),
])
def test_localization_refuses_in_one_line(run_tool, tmp_path, digits, settings,
                                          said):
    (tmp_path / 'objects.txt').touch()
    done = run_tool(
        'evaluation/localization.py',
        CONFIG,
        'none',
        '--images',
        digits / 'test',
        *settings,
        check=False)
    assert done.returncode and done.stderr == said


def test_localization_needs_an_image(run_tool):
    done = run_tool(
        'evaluation/localization.py',
        CONFIG,
        'none',
        '--images',
        '.',
        '--objects',
        '.',
        '--count',
        '0',
        check=False)
    assert 'error: --count must be at least 1' in done.stderr


def test_annotations_of_a_subset_of_imagenet(run_tool, tmp_path):
    for name in ('n2/b.JPEG', 'n1/a.JPEG', 'n1/c.txt', 'n3/d.JPEG'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / 'classes.txt').write_text('n2\nn1\n')
    done = run_tool('dataset_converters/imagenet_subset.py', '.',
                    'classes.txt', 'train.txt')
    assert done.stdout == 'train.txt: 2 images of 2 classes\n'
    assert (tmp_path / 'train.txt').read_text() == ('n1/a.JPEG 0\n'
                                                    'n2/b.JPEG 1\n')


@pytest.mark.parametrize('package', ['mmdetection', 'mmsegmentation'])
@pytest.mark.parametrize('script, given, expected', [
    ('train.sh', ['C', 'K', '--amp'],
     'python {tools}/train.py C --pretrained K --resume --amp'),
    ('dist_train.sh', ['C', 'K', '2', '--amp'],
     'torchrun .* {tools}/train.py C --launcher pytorch --pretrained K '
     '--resume --amp'),
    ('slurm_train.sh', ['P', 'J', 'C', 'K', '--amp'],
     'srun .* python -u {tools}/train.py C --launcher slurm --pretrained K '
     '--resume --amp'),
])
def test_fine_tuning_scripts(tmp_path, package, script, given, expected):
    """The scripts are called as documented; stubs print what they start."""
    for program in ('python', 'torchrun', 'srun'):
        path = tmp_path / program
        path.write_text('#!/bin/sh\necho $(basename $0) "$@"')
        path.chmod(0o755)
    submit = tmp_path / 'sbatch'  # runs the job
    submit.write_text('#!/bin/sh\nbash')
    submit.chmod(0o755)
    command = [TOOLS / 'benchmarks' / package / script]
    env = dict(os.environ, PATH=f'{tmp_path}:{os.environ["PATH"]}')
    done = subprocess.run(
        command + given, env=env, capture_output=True, text=True)
    assert re.fullmatch(expected.format(tools='.*'),
                        done.stdout.strip()), done.stdout
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode != 0
    assert re.search(r': give (CONFIG|PARTITION)$', done.stderr.strip())


CAMVID = ROOT / ('configs/benchmarks/mmsegmentation/camvid/'
                 'upernet_r18-w32_1xb8-800_camvid-256x256.py')


@pytest.fixture
def camvid(tmp_path):
    """Two images of two classes where CamVid lies, and settings for it."""
    root = tmp_path / 'camvid'
    for split in ('train', 'val'):
        for folder, mode, value in (('img_dir', 'RGB', (9, 9, 9)), ('ann_dir',
                                                                    'L', 1)):
            path = root / folder / split
            path.mkdir(parents=True)
            suffix = 'jpg' if mode == 'RGB' else 'png'
            for number in range(2):
                image = Image.new(mode, (96, 64), value)
                image.paste(0, (0, 0, 96, 32))
                image.save(path / f'{number}.{suffix}')
    return [
        '--cfg-options', f'train_dataloader.dataset.data_root={root}',
        f'val_dataloader.dataset.data_root={root}',
        f'test_dataloader.dataset.data_root={root}', 'train_cfg.max_iters=2',
        'train_cfg.val_interval=2', 'default_hooks.checkpoint.interval=1',
        'train_dataloader.batch_size=2', 'param_scheduler.0.end=2',
        'train_dataloader.dataset.pipeline.2.scale=(96,64)',
        'train_dataloader.dataset.pipeline.3.crop_size=(64,64)',
        'model.data_preprocessor.size=(64,64)'
    ] + [
        f'{loader}_dataloader.num_workers=0'
        for loader in ('train', 'val', 'test')
    ]


def test_fine_tune_resume_test_and_browse(run_tool, tmp_path, camvid):
    """A pre-training checkpoint becomes a sheet of predictions."""
    backbone = MODELS.build(
        dict(
            type='mmregioncl.ResNet',
            depth=18,
            stem_channels=32,
            base_channels=32))
    (tmp_path / 'moco').mkdir()
    torch.save(
        dict(
            state_dict={
                f'backbone.{name}': value
                for name, value in backbone.state_dict().items()
            }), tmp_path / 'moco/epoch_9.pth')
    train = [
        'train.py', CAMVID, '--pretrained', 'moco/epoch_9.pth', '--resume',
        *camvid
    ]
    work_dir = tmp_path / 'work_dirs' / CAMVID.stem / 'moco-epoch_9'
    first = run_tool(*train)
    (work_dir / 'iter_2.pth').unlink()
    second = run_tool(*train)
    for done, expected in ((first, '100 weights loaded from moco/epoch_9.pth'),
                           (second, 'iter_1.pth')):
        assert expected in done.stdout + done.stderr
        assert 'mIoU' in done.stdout + done.stderr
    (work_dir / 'iter_2.pth').rename(tmp_path / 'last.pth')

    done = run_tool('test.py', CAMVID, 'last.pth', *camvid)
    assert 'mIoU' in done.stdout + done.stderr
    run_tool('analysis_tools/browse_predictions.py', CAMVID, 'last.pth',
             'sheet.png', '--count', '2', *camvid)
    # Two rows of truth and prediction
    width, height = Image.open(tmp_path / 'sheet.png').size
    assert width / height == pytest.approx(2 * 96 / (2 * 64), rel=0.2)


def test_amp_without_a_gpu_is_bfloat16(run_tool, tmp_path, options,
                                       monkeypatch):
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: True)
    run_tool(
        'train.py',
        CONFIG,
        '--amp',
        '--work-dir',
        'run',
        *options,
        'train_dataloader.batch_size=4',
        'train_dataloader.dataset.indices=8',
        *(f'default_hooks.{name}=None' for name in ('linear', 'health')),
    )
    log, = (tmp_path / 'run').rglob('*.log')
    assert 'AutocastOptimWrapper' in log.read_text()
    weights = torch.load(tmp_path / 'run' / 'epoch_1.pth')['state_dict']
    assert all(value.isfinite().all() for value in weights.values())
    assert weights['backbone.conv1.weight'].dtype == torch.float32


@pytest.mark.parametrize('tool, arguments', [
    ('train.py', []),
    ('test.py', ['none']),
    ('evaluate.py', ['none', '--out', 'out']),
    ('evaluation/knn.py', ['none']),
    ('analysis_tools/browse_boxes.py', ['none', 'out']),
    ('analysis_tools/browse_predictions.py', ['none', 'out']),
    ('analysis_tools/browse_views.py', ['out']),
])
def test_config_of_an_older_version_is_refused(tool, arguments, run_tool,
                                               tmp_path):
    path = tmp_path / 'moco.py'
    path.write_text('model = dict(type="MOCO")\n'
                    'data = dict(samples_per_gpu=32)\n'
                    'runner = dict(max_epochs=200)')
    # evaluate.py ends with the sentence alone.
    with pytest.raises((ValueError, AssertionError),
                       match='translate data to .*; runner to train_cfg'):
        run_tool(tool, path, *arguments)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize('name, arguments', [
    ('browse_boxes.py', ['none', 'out.png']),
    ('browse_views.py', ['out.png']),
])
def test_seeds_that_numpy_does_not_take_are_refused(name, arguments, run_tool,
                                                    options):
    done = run_tool(
        f'analysis_tools/{name}',
        CONFIG,
        *arguments,
        '--seed',
        '-1',
        *options,
        check=False)
    assert done.stderr.strip().endswith(
        f'--seed=-1 of {name} has to be a whole number from 0 to 4294967295')


def test_knn_without_labels_says_what_to_do(run_tool, tmp_path):
    config = CONFIG.with_name('regioncl-m_resnet50_8xb128-coslr-200e_in1k.py')
    done = run_tool('evaluation/knn.py', config, 'none', check=False)
    assert done.returncode
    assert 'set folders with one folder per class by --train' in done.stderr


def test_knn_refuses_other_classes(run_tool, tmp_path):
    for folder in ('train/cat', 'train/dog', 'test/dog'):
        (tmp_path / folder).mkdir(parents=True)
    done = run_tool(
        'evaluation/knn.py',
        CONFIG,
        'none',
        '--train',
        'train',
        '--test',
        'test',
        check=False)
    assert done.stderr.strip().endswith('these differ: cat')


def test_refusals_are_one_sentence(run_tool, options, monkeypatch):
    """Behind MMEngine's log, without a traceback unless that is wanted."""
    command = ['train.py', CONFIG, *options, 'train_dataloader.batch_size=97']
    sentence = '96 images are fewer than one batch of 97 on 1 process(es): '
    done = run_tool(*command, check=False)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(sentence)
    done = run_tool(*command, 'model.backbone.type=Nonsense', check=False)
    assert 'Traceback' not in done.stderr  # an error of MMEngine
    last = done.stderr.splitlines()[-1]
    assert last.startswith('Nonsense in model.backbone: Nonsense is not in ')
    assert last.endswith('(MMREGIONCL_TRACEBACK=1 shows where)')
    monkeypatch.setenv('MMREGIONCL_TRACEBACK', '1')
    done = run_tool(*command, check=False)
    assert 'Traceback' in done.stderr and f'ValueError: {sentence}' in \
        done.stderr.splitlines()[-1]


@pytest.mark.parametrize('tool, arguments, sentence', [
    ('evaluation/knn.py', ['--batch-size', '0'], 'must be at least 1'),
    ('evaluation/knn.py', ['--workers', '-1'], 'must be at least 0'),
    ('evaluation/knn.py', ['--train', 'x.zip', '--test', 'y'
                           ], 'is not a folder: set '),
    ('evaluate.py', ['--out', 'o', '--learning-rates', '1', '-1'
                     ], '--learning-rates must be above 0'),
    ('evaluate.py', ['--out', 'o', '--shots', '4', '0'], '--shots must be at'),
    ('evaluate.py', ['--out', 'o', '--seed', f'{2**32}'
                     ], '--seed must be below 2**32'),
    ('test.py', [], 'has no test_dataloader: use the config of a model'),
])
def test_arguments_that_cannot_be_meant(run_tool, tool, arguments, sentence):
    done = run_tool(tool, CONFIG, 'none', *arguments, check=False)
    assert sentence in done.stderr.strip().splitlines()[-1]


def test_evaluate(run_tool, tmp_path, digits, monkeypatch):
    """A protocol fails, runs are repeated, and two run side by side."""
    monkeypatch.setenv('LOKY_MAX_CPU_COUNT', '1')  # others start in seconds
    command = [
        'evaluate.py', CONFIG, 'none', '--train', digits / 'train', '--test',
        digits / 'test', '--workers', '0', '--epochs', '2', '--out', 'out'
    ]
    done = run_tool(
        *command, '--protocols', 'knn', 'linear', '--k', '9999', check=False)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert 'knn: there are only 1198 train images for k=9999 of knn' in said
    assert done.stderr.splitlines()[-1].startswith('knn failed: correct')
    done = run_tool(*command, '--protocols', 'knn', 'linear', 'low-shot',
                    '--k', '20', '9999', '--shots', '1')
    assert 'knn skips k=9999: there are only 1198' in done.stdout + done.stderr
    assert 'linear: finished before' in done.stdout + done.stderr
    assert 'report: out/report.html' in done.stdout
    run_tool('evaluate.py', '--compare', 'out', 'out', '--out', 'both')
    page = (tmp_path / 'both/report.html').read_text()
    done = json.loads((tmp_path / 'out/results.json').read_text())['protocols']
    assert list(done['low-shot']['numbers']) == ['mAP, 1 of a class']
    for number in done['knn']['numbers'].values():
        assert page.count(f'{100 * number:.2f}') >= 2

    shutil.copytree(digits / 'test', tmp_path / 'more')
    for name in ('.x', '10'):
        (tmp_path / 'more' / name).mkdir()
    for arguments, sentence in (
        (['--protocols', 'knm'], 'there is no protocol knm, and no such file'),
        (['--train', 'nowhere', '--test', 'nowhere'], 'is not a folder'),
        (['--train', 'more', '--test', 'more'], 'as a class: remove .x, 10'),
        (['--seed', '1'], 'has results of another seed: choose another'),
    ):
        done = run_tool(*command, *arguments, check=False)
        assert sentence in done.stderr.strip().splitlines()[-1]


def test_demo(run_tool, tmp_path, monkeypatch):
    """What `make demo` runs, for one epoch of a few digits.

    It is stopped after a step, and goes on when it is called again.
    """
    handlers = [(sig, signal.getsignal(sig)) for sig in STOP_SIGNALS]
    command = [
        'demo.py', '--cfg-options', 'train_cfg.max_epochs=1',
        'train_dataloader.dataset.indices=64',
        'default_hooks.logger.interval=1', *[
            f'eval_datasets.{split}.indices='
            f'{[*range(0, count, step)]}'.replace(' ', '')
            for split, count, step in (('train', 1198, 5), ('test', 599, 10))
        ]
    ]
    with monkeypatch.context() as patch:
        patch.setattr(RunSummaryHook, 'before_train_iter',
                      lambda *args, **kwargs: signal.raise_signal(15))
        assert run_tool(*command, check=False).returncode == 75
    for number, handler in handlers:
        signal.signal(number, handler)
    done = run_tool(*command)
    assert 'resumed epoch: 0, iter: 1' in done.stdout + done.stderr
    summary = done.stdout[done.stdout.index('k-NN accuracy'):]
    for title in ('untrained backbone', 'after RegionCL-M'):
        assert float(summary.split(title)[1].split('%')[0]) > 50
    for name in ('report.html', 'run/epoch_1.pth'):
        assert f'demo/{name}' in summary
        assert (tmp_path / 'demo' / name).exists()
    page = (tmp_path / 'demo/report.html').read_text()
    for words in ('RegionCL-M', 'untrained', 'Loss of canvas and paste',
                  'k-NN accuracy, k=20', 'Spread of pastes', 't-SNE'):
        assert words in page


@pytest.mark.parametrize('given, launcher', [((), 'pytorch'),
                                             (('--launcher', 'mpi'), 'mpi')])
def test_train_takes_the_launcher_of_the_config(run_tool, tmp_path,
                                                image_folder, monkeypatch,
                                                given, launcher):
    """Unless another is given; and it scales the learning rate if told to."""
    config = tmp_path / 'config.py'
    config.write_text(
        "model = dict(type='MoCo')\nlauncher = 'pytorch'\n"
        f"train_dataloader = dict(dataset=dict(data_root='{image_folder}'))\n"
        'auto_scale_lr = dict(base_batch_size=256)\n')
    runs = []
    runner = Mock(
        work_dir='runs',
        cfg={},
        **{
            'message_hub.get_info.return_value': None,
            'logger.handlers': []
        })
    monkeypatch.setattr(Runner, 'from_cfg',
                        lambda cfg: runs.append(cfg) or runner)
    name = RANKS[launcher]
    monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=f'needs the environment .* {name}: '):
        run_tool('train.py', config, *given)
    monkeypatch.setenv(name, '0')
    run_tool('train.py', config, '--auto-scale-lr', *given)
    assert runs[0].launcher == launcher
    assert runs[0].auto_scale_lr.enable
