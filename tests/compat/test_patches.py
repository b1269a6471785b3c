"""Each patch: code that fails upstream and works once it is patched."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from unittest.mock import Mock

import mmcv
import numpy as np
import pytest
import torch
from mmcv.image import photometric
from mmengine.logging import HistoryBuffer
from mmengine.runner import Runner
from PIL import Image

from mmregioncl import host
from mmregioncl.compat import adjust_hue, apply, package_utils, slow_imports

HOST = host.NAME
BASES = dict(mmselfsup='mmselfsup::selfsup/', mmpretrain='mmpretrain::')
NUMPY_2 = int(np.__version__.split('.')[0]) >= 2

SNIPPETS = dict(
    runner_registries=("No module named 'mmselfsup.engine.runner'", """
import mmselfsup.registry
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader
from unittest.mock import Mock
init_default_scope('mmselfsup')
runner = Mock(_train_dataloader=DataLoader([0]))
Runner.build_train_loop(runner, dict(type='EpochBasedTrainLoop', max_epochs=1))
"""),
    checkpoint_globals=('Weights only load failed', """
import numpy as np, torch
from mmengine.logging import HistoryBuffer
buffer = HistoryBuffer([1., 2.], [1, 1])
torch.save(dict(log=buffer, step=np.float64(3)), 'log.pth')
assert torch.load('log.pth', weights_only=True)['log'].mean() == 1.5
"""),
    annotation_files=('AssertionError', """
import mmengine
open('a.pkl', 'wb').write(b'cbuiltins\\nlen\\n(S"ab"\\ntR.')  # calls len
try:
    assert mmengine.load('a.pkl') != 2
except ValueError as error:
    assert 'a.pkl cannot be read: the file holds builtins.len' in str(error)
"""),
    checkpoint_files=('EOFError', """
from mmengine.runner.checkpoint import CheckpointLoader
open('empty.pth', 'w').close()
try:
    CheckpointLoader.load_checkpoint('empty.pth')
except ValueError as error:
    assert 'empty.pth' in str(error)
"""),
    adjust_hue=('OverflowError', """
import mmcv, numpy as np
mmcv.adjust_hue(np.zeros((2, 2, 3), np.uint8), -0.1, backend='pillow')
"""),
    package_utils=('pkg_resources', f"""
import sys
sys.modules['pkg_resources'] = None  # as with setuptools >= 82
from mmengine.config import Config
open('config.py', 'w').write(
    '_base_ = "{BASES[HOST]}_base_/default_runtime.py"')
assert Config.fromfile('config.py').default_scope == '{HOST}'
"""),
    collate_scope=("unexpected keyword argument '_scope_'", """
from mmengine.runner import Runner
loader = Runner.build_dataloader(dict(
    dataset=[0, 1], batch_size=2, sampler=dict(type='DefaultSampler'),
    collate_fn=dict(type='default_collate', _scope_='mmselfsup')))
assert sorted(next(iter(loader)).tolist()) == [0, 1]
"""),
    subset_memo=("has no attribute 'transforms'", """
from mmengine.dataset import BaseDataset

class Short(BaseDataset):

    def load_data_list(self):
        return [{}]

for _ in range(99):
    subset = Short(pipeline=[len]).get_subset([0])
    assert subset.pipeline.transforms == [len]
"""),
    loader_settings=('num_workers > 0', """
import warnings
from mmengine.runner import Runner
warnings.simplefilter('error')
loader = Runner.build_dataloader(dict(
    dataset=[0, 1], batch_size=2, sampler=dict(type='DefaultSampler'),
    num_workers=0, persistent_workers=True, prefetch_factor=2, timeout=9,
    multiprocessing_context='fork', pin_memory=True,
    collate_fn=dict(type='default_collate')))
assert sorted(next(iter(loader)).tolist()) == [0, 1]
"""),
    cpu_launch=('NVIDIA|CUDA|device_ids', """
import os
os.environ.update(RANK='0', LOCAL_RANK='0', WORLD_SIZE='1',
                  MASTER_ADDR='127.0.0.1', MASTER_PORT='0')
from mmengine.dist import get_rank, init_dist
from mmengine.model import MMDistributedDataParallel
from torch import nn
init_dist('pytorch', backend='nccl')
MMDistributedDataParallel(nn.Linear(1, 1), device_ids=[0])
"""),
    mmcv_operators=("No module named 'mmcv._ext'", """
import mmcv.ops, torch
from mmcv.ops import nms
box = torch.tensor([[0., 0., 2., 2.]])
assert nms(box, torch.ones(1), 0.5)[1].tolist() == [0]
import mmdet.models, mmseg.models
"""),
    slow_imports=('AssertionError', f"""
import sys
import {HOST}.models
assert not {{'mmdet', 'sklearn'}} & set(sys.modules)
import {HOST}.models.utils.res_layer_extra_norm as layer
assert layer.ResLayerExtraNorm.__name__ in str(layer.MODELS)
if '{HOST}' == 'mmselfsup':
    from mmselfsup.models.memories import odc_memory
    assert type(odc_memory.KMeans(2)).__module__.startswith('sklearn.')
"""),
    deformable_attention=('MultiScaleDeformableAttention', f"""
import sys, warnings
caught = []
warnings.showwarning = lambda message, *_, **__: caught.append(str(message))
import {host.SCOPES[HOST][-1]}.models
assert not caught, caught
"""))
NEED_MMSELFSUP = ('runner_registries', )

# Patched in a process that has imported the function to patch already
IMPORTED_EARLIER = """
import mmselfsup.datasets, mmregioncl, numpy
from mmselfsup.datasets.transforms import processing
processing.adjust_hue(numpy.zeros((2, 2, 3), 'uint8'), -0.3, backend='pillow')
"""

# What is left out of other imports is here before
KEPT = """
import sys, sklearn, mmselfsup.models
assert sys.modules['sklearn'] is sklearn and sklearn.cluster.DBSCAN
"""


def test_every_patch_has_a_snippet():
    from mmregioncl.compat import PATCHES
    assert {module.__name__.split('.')[-1]
            for module in PATCHES} == set(SNIPPETS)


# Runs each snippet in a forked process, before and after importing mmregioncl.
# Prints the tracebacks of those that fail.
RUN_SNIPPETS = """
import json, os, sys, traceback
# Slow to import, and unpatched
import matplotlib.pyplot, mmengine.runner, scipy.stats, torchvision
errors = {}
for package in ('mmengine', 'mmregioncl'):
    __import__(package)
    errors[package] = {}
    for name, snippet in json.load(open('snippets.json')).items():
        os.makedirs(f'{package}/{name}')
        if not (child := os.fork()):
            os.chdir(f'{package}/{name}')
            try:
                exec(snippet, {})
            except BaseException:
                open('error', 'w').write(traceback.format_exc())
                os._exit(1)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            errors[package][name] = open(f'{package}/{name}/error').read()
print(json.dumps(errors))
"""


@pytest.fixture(scope='session')
def errors(tmp_path_factory):
    """Tracebacks of the snippets that fail, without and with mmregioncl."""
    folder = tmp_path_factory.mktemp('snippets')
    snippets = {name: snippet for name, (_, snippet) in SNIPPETS.items()}
    snippets |= dict(imported_earlier=IMPORTED_EARLIER, kept=KEPT)
    (folder / 'snippets.json').write_text(json.dumps(snippets))
    done = subprocess.run([sys.executable, '-c', RUN_SNIPPETS],
                          cwd=folder,
                          env=dict(os.environ, CUDA_VISIBLE_DEVICES=''),
                          capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize('patch', [
    pytest.param(
        name, marks=[pytest.mark.mmselfsup] if name in NEED_MMSELFSUP else [])
    for name in SNIPPETS
])
def test_failure_is_patched(patch, errors):
    if patch != 'adjust_hue' or NUMPY_2:
        assert re.search(SNIPPETS[patch][0], errors['mmengine'][patch])
    assert patch not in errors['mmregioncl'], errors['mmregioncl'][patch]


@pytest.mark.mmselfsup
def test_a_function_imported_earlier_is_patched(errors):
    assert 'imported_earlier' not in errors['mmengine']


@pytest.mark.mmselfsup
def test_a_package_imported_earlier_is_kept(errors):
    assert 'kept' not in errors['mmregioncl'], errors['mmregioncl']['kept']


def test_apply_twice_changes_nothing():
    before, finders = mmcv.adjust_hue, [*sys.meta_path]
    build = Runner.build_dataloader
    apply()
    assert mmcv.adjust_hue is before
    assert Runner.build_dataloader is build
    assert sys.meta_path == finders


class Foreign:
    """An object that does not belong in a checkpoint."""


@pytest.mark.parametrize('content', [
    Foreign(),
    print,
    (getattr, (Foreign, '__init__')),
])
def test_foreign_object_is_refused(content, tmp_path):
    path = tmp_path / 'foreign.pth'
    torch.save(dict(state_dict={}, extra=content), path)
    with pytest.raises(Exception, match='Weights only load failed'):
        torch.load(path)


class Getattr:
    """Pickled as a call of getattr."""

    def __init__(self, *args):
        self.args = args

    def __reduce__(self):
        return getattr, self.args


@pytest.mark.parametrize('args', [(HistoryBuffer, '__init__'),
                                  (np.dtype, 'newbyteorder')])
def test_getattr_is_for_statistics_only(args, tmp_path):
    path = tmp_path / 'getattr.pth'
    torch.save(Getattr(HistoryBuffer, 'mean'), path)
    assert torch.load(path) is HistoryBuffer.mean
    torch.save(Getattr(*args), path)
    with pytest.raises(Exception, match='is not allowed in a checkpoint'):
        torch.load(path)


@pytest.mark.parametrize('name', ['numpy.core', 'numpy._core'])
def test_log_of_either_numpy_loads(name, tmp_path):
    """The modules of numpy 1 and 2 are named differently in pickles."""
    path = tmp_path / 'log.pth'
    torch.save(
        HistoryBuffer([1., 3.], [1, 1]),
        path,
        _use_new_zipfile_serialization=False)
    ours = b'numpy._core.multiarray' if NUMPY_2 else b'numpy.core.multiarray'
    data = path.read_bytes()
    assert ours in data
    path.write_bytes(data.replace(ours, f'{name}.multiarray'.encode()))
    assert torch.load(path).mean() == 2


@pytest.mark.parametrize('factor', [-0.5, -0.1, -0.003, 0, 0.1, 0.5])
def test_hue_as_under_numpy_1(factor):
    """Slow reference: shift H of each pixel, truncated and wrapped."""
    pixels = np.random.randint(0, 256, (5, 7, 3), np.uint8)
    hsv = np.array(Image.fromarray(pixels[..., ::-1].copy()).convert('HSV'))
    shifted = hsv.astype(int)
    for row in range(5):
        for col in range(7):
            shifted[row, col, 0] += int(factor * 255)
            shifted[row, col, 0] %= 256
    channels = [
        Image.fromarray(shifted[..., i].astype(np.uint8)) for i in range(3)
    ]
    expected = np.array(Image.merge('HSV', channels).convert('RGB'))
    result = adjust_hue.adjust_hue(pixels, factor, backend='pillow')
    assert np.array_equal(result, expected[..., ::-1])
    assert np.array_equal(
        mmcv.adjust_hue(pixels, factor, backend='pillow'), result)


@pytest.fixture(scope='module')
def upstream_hue():
    """``adjust_hue`` of the installed mmcv."""
    spec = importlib.util.spec_from_file_location(
        'mmcv.image.photometric_as_installed', photometric.__file__)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.adjust_hue is not adjust_hue.adjust_hue
    return module.adjust_hue


@pytest.mark.parametrize('factor', [0, 0.1, 0.5])
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_hue_where_upstream_works(factor, backend, upstream_hue):
    """Positive shifts are the same as those of unpatched mmcv."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3), 'uint8')
    assert np.array_equal(
        adjust_hue.adjust_hue(pixels, factor, backend),
        upstream_hue(pixels, factor, backend))


@pytest.mark.parametrize('args, error', [
    ((np.zeros((2, 2, 3), np.uint8), 0.6), ValueError),
    ((np.zeros((2, 2, 3), np.uint8), 0.1, 'turbojpeg'), ValueError),
    (([0], 0.1), TypeError),
])
def test_hue_refuses_what_upstream_refuses(args, error):
    with pytest.raises(error):
        adjust_hue.adjust_hue(*args)


def test_packages_are_found_without_pkg_resources(tmp_path, monkeypatch):
    package = importlib.import_module(HOST)
    assert package_utils.get_installed_path(HOST) == package.__path__[0]
    assert package_utils.get_installed_path('mmcv-lite') == str(
        mmcv.__path__[0])
    assert package_utils.is_installed(HOST)
    assert not package_utils.is_installed('no_such_package')
    with pytest.raises(ModuleNotFoundError):
        package_utils.get_installed_path('no_such_package')
    (tmp_path / 'several').mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match='several has no module folder'):
        package_utils.get_installed_path('several')


def test_scikit_learn_is_left_out_unless_it_is_there(monkeypatch):
    """While the package is imported that takes k-means from it."""
    memories = Mock(__spec__=Mock(_initializing=True))
    monkeypatch.setitem(sys.modules, 'mmselfsup.models.memories', memories)
    stand_ins = slow_imports.StandIns()
    for loader, left_out in ((stand_ins, True), (None, False)):
        there = Mock(__spec__=Mock(loader=loader))
        monkeypatch.setitem(sys.modules, 'sklearn', there)
        spec = stand_ins.find_spec('sklearn.cluster', None)
        assert (spec is not None) == left_out
    monkeypatch.setitem(sys.modules, 'sklearn.cluster', Mock(KMeans=dict))
    assert slow_imports.lazy_k_means(n_clusters=2) == dict(n_clusters=2)


def test_workers_draw_new_numbers_each_epoch():
    """MMEngine seeds workers with a constant, so they have to persist."""
    from mmengine.config import Config
    draws = {}
    for persistent in (False, True):
        loader = Runner.build_dataloader(
            Config(
                dict(
                    dataset=Noise(),
                    batch_size=2,
                    num_workers=1,
                    persistent_workers=persistent,
                    sampler=dict(type='DefaultSampler', shuffle=False))),
            seed=0)
        draws[persistent] = [sum(loader, []) for _ in range(2)]
    assert draws[False][0] == draws[False][1]
    assert draws[True][0] != draws[True][1]


class Noise(torch.utils.data.Dataset):

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.random.rand()


def test_torchvision_fits_torch():
    """Its compiled operators work with the installed torch."""
    from torchvision.ops import nms
    boxes = torch.tensor([[0., 0, 2, 2], [0, 0, 2, 2.1], [5, 5, 6, 6]])
    assert nms(boxes, torch.tensor([.9, .8, .7]), 0.5).tolist() == [0, 2]
