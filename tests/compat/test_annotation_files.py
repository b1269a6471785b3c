"""Annotations that MMEngine reads, for its own data sets and for others."""
import datetime
import pickle
from collections import OrderedDict, defaultdict

import mmengine
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset

from mmregioncl.compat import annotation_files

SAMPLES = [dict(img_path='a.png', gt_label=1), dict(img_path='b.png')]
CONTENT = dict(metainfo=dict(classes=('a', 'ü')), data_list=SAMPLES)
ARRAYS = dict(
    boxes=np.arange(8, dtype='>f4').reshape(2, 4),
    turned=np.arange(6).reshape(2, 3).T,
    names=np.array(['a', 'bc']),
    masks=np.eye(3, dtype=bool),
    empty=np.zeros((0, 4)),
    read_only=np.frombuffer(b'ab', 'u1'),
    label=np.int64(3),
    nothing=np.str_(''),
    score=np.float32(0.5),
    scalar=np.array(2.))
OTHERS = dict(
    a={1, 2},
    b=frozenset('x'),
    c=OrderedDict(x=1),
    d=(None, True, -3, 2**70, 0.5, 1j, b'\0\xff', b'', bytearray()),
    e=defaultdict(list, x=[1]),
    f=bytearray(b'\0\xff'),
    g=datetime.datetime(2026, 11, 30),
    h={(1, (2, frozenset('x'))): 3})


class Opened:
    """A pickle of it creates a file when it is read."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple:
        return open, (self.path, 'w')


@pytest.mark.parametrize('protocol', range(6))
def test_pickles_of_data_are_read(tmp_path, protocol):
    path = tmp_path / 'a.pkl'
    same = ARRAYS['boxes']  # is kept once
    path.write_bytes(pickle.dumps((OTHERS, ARRAYS, same), protocol))
    others, arrays, again = mmengine.load(path)
    assert others == OTHERS and again is arrays['boxes']
    for name, wanted in pickle.loads(path.read_bytes())[1].items():
        assert type(arrays[name]) is type(wanted)
        assert arrays[name].dtype == wanted.dtype
        assert np.array_equal(arrays[name], wanted)


def test_pickles_of_tensors_are_read(tmp_path):
    """Such as predictions that MMDetection's test.py writes."""
    wanted = dict(
        turned=torch.arange(6).reshape(2, 3).T,
        part=torch.rand(4)[1:3],
        flag=torch.tensor(True),
        half=torch.ones(2, dtype=torch.bfloat16),
        none=torch.zeros(0, 4))
    mmengine.dump([wanted], tmp_path / 'results.pkl')
    found, = mmengine.load(tmp_path / 'results.pkl')
    torch.testing.assert_close(found, wanted, rtol=0, atol=0)


def test_tensors_have_the_numbers_that_are_in_the_file(tmp_path):
    path = tmp_path / 'a.pkl'
    content = pickle.dumps(torch.ones(1), 2)
    assert content.count(b'K\x01\x85') == 2  # size and stride
    path.write_bytes(content.replace(b'K\x01\x85', b'K\x02\x85', 1))
    with pytest.raises(ValueError, match='out of bounds for storage'):
        mmengine.load(path)


def test_yaml_holds_what_pyyaml_writes_of_data(tmp_path):
    path = tmp_path / 'a.yaml'
    content = [1j, b'\xff', (1, (2, 'ü')), None, {(1, 2): 3}]
    mmengine.dump(content, path)
    assert mmengine.load(path) == content
    path.write_text("[!!python/unicode 'a', !!python/str b, !!python/int 3, "
                    '!!python/none ]')
    assert mmengine.load(path) == ['a', 'b', 3, None]
    path.write_text('[' + 'a, ' * 1001 + ']')
    assert mmengine.load(path) == ['a'] * 1001
    path.write_text('a: &a {x: 1}\nb: {<<: [*a, {y: 2}], x: 3}')
    assert mmengine.load(path) == dict(a=dict(x=1), b=dict(y=2, x=3))


def test_yaml_with_a_key_that_is_none_is_named(tmp_path):
    path = tmp_path / 'a.yml'
    path.write_text('? !!python/tuple [[1]]\n: 2')
    with pytest.raises(
            ValueError, match='a.yml, which is broken .TypeError: unhash'):
        mmengine.load(path)


@pytest.mark.parametrize('ending', ['pkl', 'pickle', 'json', 'yml', 'yaml'])
def test_data_sets_read_what_mmengine_writes(tmp_path, ending):
    path = tmp_path / f'a.{ending}'
    mmengine.dump(CONTENT, path)
    dataset = BaseDataset(str(path))
    assert [dataset.get_data_info(row)['img_path']
            for row in range(2)] == ['a.png', 'b.png']
    assert [*dataset.metainfo['classes']] == ['a', 'ü']


def test_mmsegmentation_unpickles_data_alone(tmp_path):
    """By decode_backend='pickle' of its medical images."""
    read = pytest.importorskip('mmseg.utils.io').datafrombytes
    boxes = read(pickle.dumps(ARRAYS['boxes']), backend='pickle')
    assert (boxes == ARRAYS['boxes']).all()
    marked = tmp_path / 'ran'
    with pytest.raises(ValueError, match='open, which might run code: if you'):
        read(pickle.dumps(Opened(marked)), backend='pickle')
    assert not marked.exists()


def test_deep_annotations_are_named(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('[' * 10**5)
    with pytest.raises(ValueError, match='a.json, which is broken'):
        mmengine.load(path)


def test_other_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError):
        mmengine.load(tmp_path / 'a.pkl')
    with pytest.raises(TypeError, match='Unsupported format: txt'):
        mmengine.load('a.txt')


def test_a_second_patch_changes_nothing():
    annotation_files.patch()
    assert mmengine.load is annotation_files.load
