"""The tables of `make bench`, small."""
import json
import re
import runpy
import sys
from argparse import ArgumentTypeError
from copy import deepcopy
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.registry import DATASETS, MODELS
from torch.profiler import ProfilerActivity, profile

from mmregioncl.datasets.digits import write_digits
from mmregioncl.models.utils import Region, swap_region

BENCHMARKS = Path(__file__).parents[2] / 'tools/benchmarks'
DIGITS = (
    BENCHMARKS.parents[1] / 'configs/regioncl' /
    'regioncl-m_resnet18-w16_1xb32-coslr-20e_digits.py')


def values(table: str, title: str) -> list:
    """The numbers of a line."""
    line, = (line for line in table.splitlines() if line.startswith(title))
    return [float(word) for word in re.findall(r'[\d.]+', line[len(title):])]


@pytest.mark.mmselfsup
@pytest.mark.slow
def test_train_step(run_tool):
    table = run_tool('benchmarks/train_step.py', '--batch', '2', '--queue',
                     '256', '--repeats', '1', '--size', '64', '--depth',
                     '18').stdout
    for title in ('step, s', 'peak memory, MiB', 'loss part, s',
                  'loss part memory, MiB'):
        theirs, ours, ratio, *_ = values(table, title)
        assert ratio == pytest.approx(ours / theirs, rel=0.1, abs=0.01), title


def test_pairs(run_tool, tmp_path):
    """Means and standard errors, as by hand."""
    run = dict.fromkeys(('name', 'checkpoint', 'sha256', 'config', 'seed',
                         'date', 'commit', 'device'), 'x')
    for name, accuracies in dict(
            moco=(.3, .5), m=(.34, .52), s=(.9, )).items():
        for seed, accuracy in enumerate(accuracies):
            folder = tmp_path / f'{name}-seed{seed}'
            folder.mkdir()
            result = dict(
                numbers=dict(a=accuracy),
                how='',
                settings={},
                seconds=1,
                date='x',
                commit='x')
            (folder / 'results.json').write_text(
                json.dumps(
                    dict(
                        run=dict(run, versions={}),
                        protocols=dict(knn=result))))
    command = ['benchmarks/pairs.py', tmp_path, 'moco:m', 'moco:s']
    lines = run_tool(*command, '--numbers', 'knn: a').stdout.splitlines()
    assert lines[5:] == [
        '| moco, m | 0 | 30.00 | 34.00 | +4.00 |',
        '| moco, m | 1 | 50.00 | 52.00 | +2.00 |',
        '| moco, m | mean | | | +3.00 ± 1.00 |',
        '| moco, s | 0 | 30.00 | 90.00 | +60.00 |',
        '| moco, s | mean | | | +60.00 |',
        '| 3 differences | mean | | | +22.00 ± 19.01 |'
    ]  # deviations of 18, 20 and 38, squared sum 2168 / 2 / 3
    for arguments, sentence in (([
            'moco:d'
    ], 'have no common seed: choose from'), ([
            'moco:m'
    ], 'seed 0: knn: top-1, k=20, T=0.1 is missing')):
        done = run_tool(*command[:2], *arguments, check=False)
        assert sentence in done.stderr


@pytest.mark.mmselfsup
def test_transforms(run_tool):
    """Scikit-learn's photographs need no data on disk."""
    table = run_tool('benchmarks/transforms.py', '--repeats', '1').stdout
    theirs, ours, ratio, *_ = values(table, '  without decoding')
    assert ratio == pytest.approx(theirs / ours, rel=0.01)
    apart = re.search(r'The views are ([\d.]+) of 255 apart', table)
    assert float(apart[1]) < 1


@pytest.mark.mmselfsup
@pytest.mark.slow
def test_loader(run_tool, cifar_folder):
    table = run_tool('benchmarks/loader.py', '--workers', '1', '--batches',
                     '2', '--repeats', '1', '--cifar10', cifar_folder,
                     '--batch', '4').stdout
    for part in table.split('\nviews of 32 px'):
        theirs, ours, ratio, *_ = values(part, '1 worker(s)')
        assert ratio == pytest.approx(ours / theirs, rel=0.1)


@pytest.mark.mmselfsup
@pytest.mark.slow
def test_seeding(run_tool):
    table = run_tool('benchmarks/seeding.py', '--count', '1', '--repeats',
                     '1').stdout
    for title in ('32 photographs, views of 224 px', 'a step of 64 digits'):
        plain, ours, ratio, *_ = values(table, title)
        assert ratio == pytest.approx(ours / plain, rel=0.1)


@pytest.mark.mmselfsup
@pytest.mark.slow
def test_a_killed_run_is_resumed_to_the_bit(run_tool):
    """A process of its own, killed at a random moment."""
    table = run_tool('benchmarks/resume.py', '--methods', 'M', '--kills', '1',
                     '--workers', '0', '--processes', '1', '--accumulation',
                     '4').stdout
    row = table.splitlines()[-1]
    assert '1 kills (1 random) in 1 runs | equal, ' in row


@pytest.mark.slow
def test_switches(run_tool):
    """What is exact is so, and what is rounded is not far."""
    exact = ['foreach', 'fused', 'gradient checkpoints']
    table = run_tool('benchmarks/switches.py', '--steps', '10', '--batch', '2',
                     '--width', '8', '--rows', 'bfloat16', *exact).stdout
    distances = table.split('furthest from float32 in any step: ')[1]
    apart = dict(re.findall(r'([a-z0-9 ]+) ([\d.]+)(?:, |$)', distances))
    assert all(float(apart[name]) == 0 for name in exact)
    assert float(apart['bfloat16']) > 0
    *_, plain = values(table, 'float32 ')  # s, ratio, range, mean loss
    *_, rounded = values(table, 'bfloat16')
    assert rounded == pytest.approx(plain, rel=0.05)


def test_batches_are_of_pairs(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from measure import pairs
    assert pairs('4') == 4
    for text in ('3', '0'):
        with pytest.raises(ArgumentTypeError):
            pairs(text)


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import memory
    yield memory
    for name in ('memory', 'measure', 'train_step'):
        sys.modules.pop(name)


@pytest.mark.mmselfsup
@pytest.mark.slow
def test_memory_is_what_a_step_takes(memory, monkeypatch):
    """On a CPU, where PyTorch's allocator reports each request.

    Convolutions of a CPU ask for some workspace as well. A thin ResNet-18
    takes the place of the ResNet-50.
    """
    MessageHub.get_current_instance().update_info('max_iters', 10**6)
    cfg = deepcopy(memory.model_cfg('d'))
    cfg.backbone.update(depth=18, stem_channels=16, base_channels=16)
    cfg.neck.update(in_channels=128, hid_channels=128)
    monkeypatch.setattr(memory, 'model_cfg', lambda method: cfg)
    model = MODELS.build(deepcopy(cfg)).train()
    region = Region(1, 1, 2, 2)
    monkeypatch.setattr(memory, 'REGION', region)
    model.region_swap = lambda views: (swap_region(views, region.scale(32)),
                                       region)
    optim = torch.optim.SGD(model.parameters(), 0.03, 0.9, weight_decay=1e-4)
    weights = (*model.parameters(), *model.buffers())
    with profile(
            activities=[ProfilerActivity.CPU],
            profile_memory=True) as profiler:
        for _ in range(2):
            views = [torch.randn(4, 3, 128, 128) for _ in range(2)]
            loss = sum(model.loss(views, []).values())
            optim.zero_grad()
            loss.backward()
            optim.step()
            del loss, views
    events = [
        event for event in profiler.profiler.kineto_results.events()
        if event.name() == '[memory]'
    ]
    peak = held = sum(weight.nbytes for weight in weights)
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    estimate = memory.peak_gib('d', 4, 128, 'ours')
    assert estimate == pytest.approx(peak / 2**30, rel=0.005)
    assert estimate < memory.peak_gib('d', 4, 128, 'published')
    assert memory.peak_gib('d', 4, 128, 'checkpoints') < estimate


@pytest.mark.mmselfsup
@pytest.mark.slow
def test_whole_boxes(run_tool, tmp_path):
    """A row for each cause, of untrained weights on 8 digits."""
    digits = write_digits(tmp_path / 'digits') / 'test'
    (tmp_path / 'objects.txt').write_text('\n'.join(
        f'{path.name}\tn\t0\t32\t63\t63' for path in digits.rglob('*.png')))
    table = run_tool('benchmarks/whole_boxes.py', DIGITS, 'none', '--images',
                     digits, '--objects', 'objects.txt', '--count', '8',
                     '--image-size', '32').stdout
    rows = [
        line.split(' | ') for line in table.splitlines()
        if line.startswith('| ')
    ]
    assert len({len(row) for row in rows}) == 1
    titles = [row[0] for row in rows[1:]]
    assert titles[0] == '| as published'
    assert titles[-1] == '| borders repeated, not zero'
    # Without its outer cells, no box is the whole image.
    left_out, = (row for row in rows if 'outer cells' in row[0])
    assert left_out[5:10] == ['0%'] * 5


@pytest.mark.mmselfsup
def test_pasted_objects_are_where_the_file_says(cifar_folder, tmp_path):
    tool = runpy.run_path(str(BENCHMARKS / 'pasted_objects.py'))
    streets = tmp_path / 'camvid/img_dir/train'
    streets.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (160, 200, 3), 'uint8')
    cv2.imwrite(str(streets / 'a.png'), noise)
    (streets / 'a.png').rename(streets / 'a.jpg')
    roots = tmp_path / 'a', tmp_path / 'b'
    for root in roots:
        tool['write_scenes'](root, 'train', cifar_folder, tmp_path / 'camvid',
                             4)
    first, second = (sorted(root.rglob('*.png')) for root in roots)
    assert [a.read_bytes() for a in first] == [b.read_bytes() for b in second]
    things = dict(enumerate(tool['images_of'](cifar_folder / 'train.npz', 4)))
    for line in (roots[0] / 'train.txt').read_text().splitlines():
        name, label, left, top, right, bottom = line.split('\t')
        scene = cv2.imread(str(roots[0] / 'train' / label / name))
        assert scene.shape == (64, 64, 3)
        thing, number = things[int(name[6:-4])]
        assert number == int(label)
        place = scene[int(top):int(bottom) + 1, int(left):int(right) + 1]
        assert np.array_equal(place, thing)

    cfg = tool['config_of'](roots[0], 'object', epochs=2, seed=0)
    load, box, *_ = DATASETS.build(
        cfg.train_dataloader.dataset).pipeline.transforms
    path = str(roots[0] / 'train' / label / name)
    assert box(load(dict(img_path=path)))['ccrop_box'] == tuple(
        int(edge) / 64
        for edge in (top, left, int(bottom) + 1, int(right) + 1))
