import copy
import json
import os
import re
import shutil
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from io import BytesIO
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner.checkpoint import CheckpointLoader

from mmregioncl.evaluation import batch_loader, class_folder, knn_accuracy
from mmregioncl.evaluation.protocols import FEATURE_PROTOCOLS
from mmregioncl.evaluation.run import EvaluationRun
from mmregioncl.files import locked
from mmregioncl.visualization import draw_run, report, write_report
from mmregioncl.visualization.curves import curve_figure
from mmregioncl.visualization.report import (CHARTS, PICTURES, draw_charts,
                                             number_rows, read_runs)

KNN = dict(k=[1, 5], temperature=[0.1])


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Fit SVMs in this process: others take seconds to start."""
    monkeypatch.setenv('LOKY_MAX_CPU_COUNT', '1')


@pytest.fixture
def cfg(model_cfg, image_folder):
    folder = class_folder(str(image_folder), 32)
    crop = dict(type='mmregioncl.RandomResizedCrop', size=32, backend='pillow')
    loader = dict(
        batch_size=4,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
        dataset=dict(
            type='mmregioncl.ImageFolder',
            data_root=str(image_folder),
            pipeline=[
                dict(type='mmregioncl.LoadImage'),
                dict(type='MultiView', num_views=2, transforms=[[crop]]),
                dict(type='mmregioncl.PackSelfSupInputs')
            ]))
    return Config(
        dict(
            model=model_cfg,
            train_dataloader=loader,
            eval_datasets=dict(train=folder, test=folder)))


@pytest.fixture
def checkpoint(model_cfg, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    model = MODELS.build(copy.deepcopy(model_cfg))
    torch.save(dict(state_dict=model.state_dict()), folder / 'epoch_1.pth')
    log = folder / '2026' / 'vis_data'
    log.mkdir(parents=True)
    (log / 'scalars.json').write_text('{"loss": 3.5, "step": 7}\n')
    return str(folder / 'epoch_1.pth')


def open_run(cfg, checkpoint, out):
    return EvaluationRun(cfg, checkpoint, out, batch_size=5, workers=0)


def test_results_are_those_of_the_features(cfg, checkpoint, tmp_path):
    first = open_run(cfg, checkpoint, tmp_path / 'out')
    for name, settings in dict(
            knn=KNN, linear=dict(epochs=5, rates=[1.]),
            svm=dict(costs=[1.])).items():
        assert first.add(name, FEATURE_PROTOCOLS[name], **settings)
    features = first.features('test')
    results = json.loads((tmp_path / 'out/results.json').read_text())
    numbers = results['protocols']['knn']['numbers']
    assert numbers['top-1, k=5, T=0.1'] == knn_accuracy(
        *features, *features, k=5)
    assert numbers['top-1, k=1, T=0.1'] == 1
    assert results['run']['checkpoint'] == checkpoint
    assert torch.__version__.startswith(results['run']['versions']['torch'])

    again = open_run(cfg, checkpoint, tmp_path / 'again')
    assert again.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    assert again.results['protocols']['knn']['numbers'] == numbers


def test_what_is_finished_is_not_repeated(cfg, checkpoint, tmp_path):
    calls = []

    def protocol(run, **settings):
        calls.append(settings)
        if settings.get('fails'):
            raise ValueError('too few images')
        return dict(numbers={'top-1': 0.5}, how='by chance')

    first = open_run(cfg, checkpoint, tmp_path)
    assert first.add('luck', protocol, tries=(1, 2))
    assert not first.add('bad', protocol, fails=1)
    second = open_run(cfg, checkpoint, tmp_path)
    assert second.add('luck', protocol, tries=(1, 2))  # kept
    assert second.add('luck', protocol, tries=2)  # other settings
    assert not second.add('bad', protocol, fails=1)  # tried again
    assert calls == [
        dict(tries=[1, 2]),
        dict(fails=1),
        dict(tries=2),
        dict(fails=1)
    ]
    protocols = json.loads(
        (tmp_path / 'results.json').read_text())['protocols']
    assert protocols['luck']['numbers'] == {'top-1': 0.5}
    assert protocols['bad']['error'] == \
        'ValueError: too few images'


def test_two_processes_may_begin_at_once(cfg, tmp_path):
    with ThreadPoolExecutor() as pool:
        with locked(tmp_path):
            other = pool.submit(open_run, cfg, None, tmp_path)
            assert wait([other], 0.2).not_done
        other.result()
    assert (tmp_path / 'results.json').exists()


def test_another_checkpoint_is_refused(cfg, checkpoint, tmp_path):
    open_run(cfg, checkpoint, tmp_path / 'out')
    open_run(cfg, checkpoint, tmp_path / 'out')
    with pytest.raises(
            ValueError, match='results of another checkpoint: choose'):
        open_run(cfg, None, tmp_path / 'out')
    cfg.model.queue_len = 64
    with pytest.raises(ValueError, match='results of another config: choose'):
        open_run(cfg, checkpoint, tmp_path / 'out')


def test_a_checkpoint_at_home_or_at_an_address(cfg, checkpoint, tmp_path,
                                               monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    home = open_run(cfg, '~/run/epoch_1.pth', tmp_path / 'home')
    assert home.checkpoint == checkpoint
    monkeypatch.setitem(CheckpointLoader._schemes, 'https://',
                        lambda address, place: torch.load(checkpoint))
    for _ in range(2):
        open_run(cfg, 'https://epoch_1.pth', tmp_path / 'toy')
    weights = torch.load(checkpoint)
    weights['state_dict']['backbone.layer4.0.bn2.weight'][3] = 0.5
    torch.save(weights, checkpoint)
    with pytest.raises(ValueError, match='results of another checkpoint'):
        open_run(cfg, 'https://epoch_1.pth', tmp_path / 'toy')


@pytest.mark.slow
def test_report_of_two_runs(cfg, checkpoint, tmp_path):
    cfg.filename = None
    outs = [tmp_path / 'ours', tmp_path / 'random <b>']
    for out, weights in zip(outs, (checkpoint, None)):
        run = open_run(cfg, weights, out)
        run.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
        draw_run(run)
    run.add('linear', FEATURE_PROTOCOLS['linear'], rates=[1.], epochs=1)
    write_report(tmp_path / 'report.html', outs)
    page = (tmp_path / 'report.html').read_text()
    assert page.count('100.00 %') >= 2  # k=1
    assert 'not run' in page  # linear of the first
    assert 'random &lt;b&gt;' in page and '<b>random' not in page
    assert page.count('data:image/png') == 5  # random weights saw no views
    assert page.count('data:image/svg') == 1  # the loss
    assert 'http' not in page.replace('http://www.w3.org', '')
    assert 'RegionCLMoCo' in page and np.__version__ in page
    rows = re.findall(r'<b>(knn|linear)</b>', page)
    assert rows == ['knn', 'linear']
    with pytest.raises(FileNotFoundError, match='has no results.json'):
        write_report(tmp_path / 'report.html', [tmp_path])


def test_features_that_are_not_finite(cfg, checkpoint, tmp_path):
    weights = torch.load(checkpoint)
    weights['state_dict']['backbone.layer4.0.bn2.weight'][3] = torch.nan
    torch.save(weights, checkpoint)
    run = open_run(cfg, checkpoint, tmp_path / 'out')
    assert not run.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    assert 'features of 12 of 12 images are NaN or inf: the run diverged' in \
        run.results['protocols']['knn']['error']


def test_k_beyond_the_data_set(cfg, checkpoint, tmp_path):
    run = open_run(cfg, checkpoint, tmp_path)
    assert not run.add(
        'knn', FEATURE_PROTOCOLS['knn'], k=[13], temperature=[0.1])
    assert 'there are only 12 train images for k=13 of knn: set it' in \
        run.results['protocols']['knn']['error']


def test_shots_that_a_class_has(cfg, checkpoint, tmp_path):
    run = open_run(cfg, checkpoint, tmp_path)
    assert run.add(
        'low-shot',
        FEATURE_PROTOCOLS['low-shot'],
        shots=(1, 4, 96),
        costs=(1., ))
    assert list(run.results['protocols']['low-shot']['numbers']) == [
        'mAP, 1 of a class', 'mAP, 4 of a class'
    ]


def test_runs_of_one_name_are_distinguished(cfg, checkpoint, tmp_path):
    """A report names runs by folder and numbers by protocol."""
    outs = [tmp_path / name / 'eval' for name in 'ab']
    for out, epochs in zip(outs, (1, 2)):
        run = open_run(cfg, checkpoint, out)
        run.add(
            'linear', FEATURE_PROTOCOLS['linear'], rates=[1.], epochs=epochs)
        for name in PICTURES:
            (out / name).touch()  # drawn before
        draw_run(run)
    runs = read_runs(outs)
    assert [run.name for run in runs] == ['a/eval', 'b/eval']
    rows = number_rows(runs)
    assert len(rows) == 4 and all(row['best'] is None for row in rows)
    assert ['number' in cell for cell in rows[0]['cells']] == [True, False]
    charts = draw_charts(runs)
    assert [chart['title'] for chart in charts] == [CHARTS['loss']]


def test_errors_stand_beside_numbers(cfg, checkpoint, tmp_path):
    for name, k in (('good', [1]), ('bad', [99])):
        run = open_run(cfg, checkpoint, tmp_path / name)
        run.add('knn', FEATURE_PROTOCOLS['knn'], k=k, temperature=[0.1])
    row, = number_rows(read_runs([tmp_path / 'bad', tmp_path / 'good']))
    assert 'images for k=99 of knn: set' in row['cells'][0]['error']
    assert row['cells'][1]['number'] == 1


@pytest.mark.parametrize('failed', [None, [], 3])
def test_damaged_note_of_a_failure(cfg, checkpoint, tmp_path, failed):
    run = open_run(cfg, checkpoint, tmp_path)
    assert run.add('luck', luck)
    run.results['protocols']['luck']['failed'] = failed
    run.write('luck')
    with pytest.raises(ValueError, match='results.json is damaged: remove'):
        read_runs([tmp_path])


@pytest.mark.parametrize('content', ['', '{}', '[]', '{"run": 3'])
def test_damaged_results(cfg, checkpoint, tmp_path, content):
    (tmp_path / 'results.json').write_text(content)
    for use in (lambda: open_run(cfg, checkpoint, tmp_path),
                lambda: read_runs([tmp_path])):
        with pytest.raises(ValueError, match='results.json is damaged: rem'):
            use()


@pytest.mark.parametrize('place, value', [
    (['run'], {}),
    (['run', 'versions'], 3),
    (['protocols', 'luck'], None),
    (['protocols', 'luck', 'settings'], ...),
    (['protocols', 'luck', 'data'], 3),
    (['protocols', 'luck', 'how'], ...),
    (['protocols', 'luck', 'numbers', 'top-1'], 'abc'),
])
def test_results_changed_by_hand(cfg, checkpoint, tmp_path, place, value):
    open_run(cfg, checkpoint, tmp_path).add('luck', luck)
    path = tmp_path / 'results.json'
    results = json.loads(path.read_text())
    part = results
    for name in place[:-1]:
        part = part[name]
    if value is ...:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    path.write_text(json.dumps(results))
    for use in (lambda: open_run(cfg, checkpoint, tmp_path),
                lambda: read_runs([tmp_path])):
        with pytest.raises(ValueError, match='results.json is damaged'):
            use()


def luck(run, fails=False):
    """A protocol."""
    if fails:
        raise ValueError('too few images')
    return dict(numbers={'top-1': 0.5}, how='by chance')


def test_an_error_leaves_earlier_numbers(cfg, checkpoint, tmp_path):
    first = open_run(cfg, checkpoint, tmp_path)
    assert first.add('luck', luck)
    assert not first.add('luck', luck, fails=True)
    again = open_run(cfg, checkpoint, tmp_path)
    assert again.results['protocols']['luck']['numbers'] == {'top-1': 0.5}
    report = tmp_path / 'report.html'
    write_report(report, [tmp_path])
    assert 'a later run\n          failed: ValueError: too few images (20' in \
        report.read_text()
    assert again.add('luck', luck)  # as the numbers were made
    write_report(report, [tmp_path])
    assert 'too few images' not in report.read_text()


def test_a_damaged_image_is_one_sentence(cfg, checkpoint, tmp_path,
                                         image_folder, monkeypatch):
    """Of a worker, whose loader is not left to a later one."""
    loaders = []

    def note(*args):
        loader = batch_loader(*args)
        loaders.append(weakref.ref(loader))
        return loader

    monkeypatch.setattr('mmregioncl.evaluation.features.batch_loader', note)
    root = tmp_path / 'images'
    shutil.copytree(image_folder, root)
    path = sorted(root.rglob('*.png'))[0]
    path.write_bytes(path.read_bytes()[:60])
    for split in ('train', 'test'):
        cfg.eval_datasets[split].data_root = str(root)
    monkeypatch.setattr('mmregioncl.evaluation.run.print_log', told := Mock())
    run = EvaluationRun(cfg, checkpoint, tmp_path / 'out', 5, workers=2)
    for name in ('knn', 'linear'):
        assert not run.add(name, FEATURE_PROTOCOLS[name])
    draw_run(run)
    lines = [call.args[0] for call in told.call_args_list]
    sentence = f'cannot read {path} as an image: repair or remove it ('
    assert lines and all(sentence in line and '\n' not in line
                         for line in lines)
    assert lines[0].startswith(f'knn: {sentence}')
    assert lines[-1].startswith(f'neighbours.png was not drawn: {sentence}')
    assert len(loaders) == len(lines) and not any(ref() for ref in loaders)


def broken(run, error):
    raise error


@pytest.mark.parametrize('error, sentence', [
    (RuntimeError('DataLoader worker (pid 7) is killed by signal: Killed. '),
     'a data worker was killed, most likely because memory ran out: lower '
     '--workers or --batch-size'),
    (RuntimeError('CUDA error: out of memory'),
     'memory ran out: lower --batch-size'),
    (ValueError('shapes\ndiffer'), 'ValueError: shapes'),
    (KeyError('img'), "KeyError: 'img'"),
    (ValueError(), 'ValueError'),
    (TypeError('Caught TypeError in DataLoader worker process 0.\nOriginal '
               'Traceback (most recent call last):\n  File "a.py", line 1, in '
               'f\n    g()\nTypeError: wrong'), 'TypeError: wrong'),
])
def test_other_errors_are_one_line(cfg, checkpoint, tmp_path, error, sentence,
                                   monkeypatch):
    """With a traceback, once, where the cause is not known."""
    monkeypatch.setattr('mmregioncl.evaluation.run.print_log', told := Mock())
    run = open_run(cfg, checkpoint, tmp_path)
    assert not run.add('bad', lambda run: broken(run, error))
    assert run.results['protocols']['bad']['error'] == sentence
    said, = (call.args[0] for call in told.call_args_list)
    assert said.startswith(f'bad: {sentence}')
    assert said.count('in broken\n') == ('lower' not in sentence)


def test_features_are_of_these_images(cfg, checkpoint, tmp_path):
    """Features of other images are extracted again and have their own rows."""
    run = open_run(cfg, checkpoint, tmp_path / 'out')
    run.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    before = run.features('test')[0]
    root = tmp_path / 'images'
    shutil.copytree(cfg.eval_datasets.test.data_root, root)
    cfg.eval_datasets.test.data_root = str(root)
    moved = open_run(cfg, checkpoint, tmp_path / 'moved')
    shutil.copy(tmp_path / 'out/features-test.pt', tmp_path / 'moved')
    moved.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    assert len(number_rows(read_runs([tmp_path / 'out', tmp_path / 'moved'
                                      ]))) == 2  # the same images elsewhere
    image = next(root.rglob('*.png'))
    shutil.copy(image, image.with_name('another.png'))
    later = open_run(cfg, checkpoint, tmp_path / 'moved')
    assert len(later.features('test')[0]) == len(before) + 1
    later = open_run(cfg, checkpoint, tmp_path / 'later')
    later.add('knn', FEATURE_PROTOCOLS['knn'], **KNN)
    rows = number_rows(read_runs([tmp_path / 'out', tmp_path / 'later']))
    assert len(rows) == 4 and all(row['best'] is None for row in rows)


def test_replaced_images_are_noticed(cfg, checkpoint, tmp_path):
    root = tmp_path / 'images'
    shutil.copytree(cfg.eval_datasets.test.data_root, root)
    cfg.default_scope = 'mmregioncl'
    cfg.eval_datasets.test.update(type='CustomDataset', data_root=str(root))
    counts = []

    def protocol(run):
        counts.append(len(run.features('test')[0]))
        return luck(run)

    picture = tmp_path / 'out/features.png'
    for wanted in ([12], [12], [12, 11]):
        if len(wanted) == 2:
            picture.touch()  # drawn before
            next(root.rglob('*.png')).unlink()
        run = open_run(cfg, checkpoint, tmp_path / 'out')
        init_default_scope('mmengine')  # no model was built in this process
        assert run.add('luck', protocol)
        assert counts == wanted
    assert run.results['protocols']['luck']['data']['test']['images'] == 11
    assert not picture.exists()


def test_features_are_of_this_run(cfg, checkpoint, tmp_path):
    """In a folder without results, nothing of another run is taken."""
    before = open_run(cfg, checkpoint, tmp_path).features('test')[0].clone()
    for name in (*PICTURES, 'curves.json'):
        (tmp_path / name).touch()
    (tmp_path / 'results.json').unlink()
    assert open_run(cfg, checkpoint, tmp_path).saved_features('test')
    assert not {*PICTURES, 'curves.json'} & {*os.listdir(tmp_path)}
    other = copy.deepcopy(cfg)
    other.eval_datasets.test.pipeline[2].crop_size = 24
    for run in ((other, checkpoint), (cfg, None)):
        (tmp_path / 'results.json').unlink()
        features = open_run(*run, tmp_path).features('test')[0]
        assert not torch.equal(features, before)


def test_pictures_are_of_these_images(cfg, checkpoint, tmp_path, monkeypatch):
    """Even if no protocol takes features."""
    drawn = []
    for name in ('draw_features', 'draw_neighbours', 'browse_views'):
        monkeypatch.setattr(report, name,
                            lambda run, path, *_: drawn.append(Path(path)))
    root = tmp_path / 'images'
    shutil.copytree(cfg.eval_datasets.test.data_root, root)
    cfg.eval_datasets.test.data_root = str(root)
    out = tmp_path / 'out'
    run = open_run(cfg, checkpoint, out)
    for split in ('train', 'test'):
        run.features(split)
    for name in PICTURES:
        (out / name).touch()
    draw_run(open_run(cfg, checkpoint, out))
    assert drawn == [out / 'composites.png']  # of any training images
    next(root.rglob('*.png')).unlink()
    draw_run(open_run(cfg, checkpoint, out))
    assert drawn[1:] == [out / name for name in PICTURES]


def test_damaged_features_are_extracted_again(cfg, checkpoint, tmp_path):
    before = open_run(cfg, checkpoint, tmp_path).features('test')[0].clone()
    path = tmp_path / 'features-test.pt'
    path.write_bytes(path.read_bytes()[:1000])
    again = open_run(cfg, checkpoint, tmp_path)
    assert torch.equal(again.features('test')[0], before)


@pytest.mark.parametrize('name', ['$x_$', 'q$\\foo$c', '_u', '__'])
def test_any_name_is_drawn(name):
    """Matplotlib reads math between dollars, and hides what begins by _."""
    figure = curve_figure({name: [[1, 2.]], 'b': [[1, 3.]]}, 'loss')
    figure.savefig(BytesIO())
    assert len(figure.axes[0].get_legend().get_texts()) == 2


def test_a_folder_that_is_a_file(cfg, checkpoint, tmp_path):
    (tmp_path / 'out').touch()
    with pytest.raises(ValueError, match='cannot be written to'):
        open_run(cfg, checkpoint, tmp_path / 'out')


def test_backbone_alone_is_enough(cfg, checkpoint, tmp_path):
    weights = torch.load(checkpoint)['state_dict']
    torch.save(
        {
            name.removeprefix('backbone.'): value
            for name, value in weights.items() if name.startswith('backbone.')
        }, tmp_path / 'backbone.pth')
    whole = open_run(cfg, checkpoint, tmp_path / '1').features('test')[0]
    alone = open_run(cfg, tmp_path / 'backbone.pth', tmp_path / '2')
    assert torch.equal(alone.features('test')[0], whole)
    torch.save(dict(weight=torch.ones(1)), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='no backbone: .* such as weight'):
        open_run(cfg, tmp_path / 'other.pth', tmp_path / '3')
    # The right checkpoint may follow.
    assert not (tmp_path / '3/results.json').exists()
