"""Files that were made to harm, or are damaged in any way."""
import io
import json
import os
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import mmengine
import numpy as np
import pytest
import tifffile
import torch
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mmengine.dataset import BaseDataset
from mmengine.registry import TRANSFORMS
from mmengine.runner.checkpoint import CheckpointLoader
from PIL import Image

from mmregioncl.compat import data_pickles
from mmregioncl.datasets import ImageFolder
from mmregioncl.datasets.box_store import BoxStore, is_saved
from mmregioncl.datasets.transforms import tiff
from mmregioncl.engine.resuming import changes, read_settings
from mmregioncl.engine.storage import find_checkpoint
from mmregioncl.evaluation.objects import read_objects
from mmregioncl.evaluation.results import read_results
from mmregioncl.visualization.curves import read_curves

FUZZ = settings(max_examples=80, deadline=None, derandomize=True)
PHOTO = Image.fromarray(
    np.random.default_rng(0).integers(0, 256, (9, 7, 3), 'uint8'))


def encode(kind: str) -> bytes:
    PHOTO.save(file := io.BytesIO(), kind)
    return file.getvalue()


def save(content: object) -> bytes:
    torch.save(content, file := io.BytesIO())
    return file.getvalue()


@st.composite
def damaged(draw, contents) -> bytes:
    """A valid file with some bytes changed, cut out or repeated."""
    data = bytearray(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 40))
        data[place:place + length] = draw(st.binary(max_size=40))
    return bytes(data)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


PARTS = ('meta', 'state_dict', 'optimizer', 'message_hub', 'param_schedulers',
         'ccrop', 'online_linear', 'unfinished')


@pytest.mark.parametrize('part', PARTS)
def test_nothing_in_a_checkpoint_runs(tmp_path, part):
    trap, path = tmp_path / 'trap', tmp_path / 'epoch_1.pth'
    torch.save({part: dict(a=[Trap(trap)])}, path)
    pickle.loads(pickle.dumps(Trap(trap)))  # it would
    trap.unlink()
    with pytest.raises(ValueError, match='which is not safe to load'):
        CheckpointLoader.load_checkpoint(str(path))
    assert find_checkpoint(tmp_path) is None
    assert not trap.exists()


def checkpoint(content: bytes) -> bytes:
    """A checkpoint with a pickle of this content."""
    with zipfile.ZipFile(file := io.BytesIO(), 'w') as archive:
        archive.writestr('a/data.pkl', content)
        archive.writestr('a/version', '3')
    return file.getvalue()


def text(content: str) -> bytes:
    return b'X' + struct.pack('<I', len(content)) + content.encode()


def dtype(code: str, state: bytes = b'') -> bytes:
    return b'cnumpy\ndtype\n(' + text(code) + b'K\0K\1tR' + state


def bytes_of(content: str) -> bytes:
    return b'c_codecs\nencode\n(' + text(content) + text('latin1') + b'tR'


def state(kind: bytes) -> bytes:
    """Of an array of 8 bytes."""
    return b'(K\1K\1\x85' + kind + b'\x89' + bytes_of('A' * 8) + b'tb'


def array(kind: bytes) -> bytes:
    """An array of 8 bytes, as numpy pickles it."""
    return (
        b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\0\x85' +
        bytes_of('b') + b'tR' + state(kind))


# A number that holds an object
OBJECT = (b'(K\3' + text('|') + b'N' + text('x') + b'\x85}' + text('x') +
          dtype('O') + b'K\0\x86sK\x08K\x08K\x3ftb')


@pytest.mark.parametrize(
    'content, found', [
        (array(dtype('f8')), b'A' * 8),
        (array(dtype('f8')) + state(dtype('f8')), None),
        (array(dtype('O')), None),
        (array(dtype('V8', OBJECT)), None),
        (array(dtype('f8', OBJECT.replace(dtype('O'), text('O')))), b'A' * 8),
        (b'cnumpy\nndarray\n(K\1\x85' + dtype('O') + bytes_of('A' * 8) + b'tR',
         None),
        (b'cnumpy\nndarray\n(K\1\x85' + text('O') + bytes_of('A' * 8) + b'tR',
         b''),
    ],
    ids=['plain', 'twice', 'object', 'void', 'fields', 'call', 'name'])
def test_numbers_in_a_checkpoint_are_no_addresses(tmp_path, content, found):
    path = tmp_path / 'epoch_1.pth'
    path.write_bytes(checkpoint(b'\x80\2}' + text('a') + content + b's.'))
    if found is None:
        with pytest.raises(ValueError, match='epoch_1.pth, which is broken'):
            CheckpointLoader.load_checkpoint(str(path))
        return
    loaded = CheckpointLoader.load_checkpoint(str(path))['a']
    assert loaded.dtype == np.float64 and loaded.tobytes() == found


def test_a_zip_bomb_is_not_inflated(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    harmless = zipfile.ZipFile(io.BytesIO(save(dict(a=torch.zeros(10**7)))))
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as bomb:
        for name in harmless.namelist():
            bomb.writestr(name, harmless.read(name))
    assert path.stat().st_size < 10**5  # of 40 MB
    with pytest.raises(ValueError, match='which is compressed and may be a'):
        CheckpointLoader.load_checkpoint(str(path))


def second_list(bomb: bytes) -> bytes:
    """Python takes a list that is right before the end for the only one."""
    end = bomb.rindex(b'PK\5\6')
    start, = struct.unpack('<I', bomb[end + 16:end + 20])
    parts = bomb[start:end].replace(b'PK\1\2\x14\3\x14\0\0\0\x08',
                                    b'PK\1\2\x14\3\x14\0\0\0\0')
    return bomb[:end] + parts + bomb[end:]


def named_list(bomb: bytes) -> bytes:
    """PyTorch takes the list of the record that the locator names."""
    end = bomb.rindex(b'PK\5\6')
    size, start = struct.unpack('<II', bomb[end + 12:end + 20])
    parts = second_list(bomb)[end:end + size]

    def record(at: int) -> bytes:
        return b'PK\6\6' + struct.pack('<QHHIIQQQQ', 44, 45, 45, 0, 0, 2, 2,
                                       size, at)

    locator = b'PK\6\7' + struct.pack('<IQI', 0, end, 1)
    return (bomb[:end] + record(start) + parts + record(end + 56) + locator +
            bomb[end:])


@pytest.mark.parametrize('change', [
    second_list, named_list, lambda bomb: bomb + b'PK\5\6' + bytes(10),
    lambda bomb: bomb.replace(b'PK\1\2\x14\3\x14', b'PK\1\2\x14\3\x63')
])
def test_a_zip_that_is_read_in_several_ways_is_refused(tmp_path, change):
    path = tmp_path / 'epoch_1.pth'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr('a/data.pkl', b'\x80\2}' + text('a' * 10**6) + b'Ns.')
        bomb.writestr('a/version', '3')
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ValueError, match='epoch_1.pth, which is broken'):
        CheckpointLoader.load_checkpoint(str(path))
    assert find_checkpoint(tmp_path) is None


def test_parts_of_a_checkpoint_share_no_bytes(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a/data.pkl', bytes(1000))
        for name in 'abc':
            archive.writestr(name, '')
        for part in archive.infolist()[1:]:
            part.file_size = part.compress_size = 1000
    with pytest.raises(ValueError, match='which is compressed and may be a'):
        CheckpointLoader.load_checkpoint(str(path))


@FUZZ
@given(
    damaged([
        save(dict(state_dict=dict(a=torch.rand(4)), meta=dict(epoch=1))),
        pickle.dumps(dict(a=1))
    ]))
def test_damaged_checkpoints_are_named(data):
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'epoch_1.pth'
        path.write_bytes(data)
        try:
            assert isinstance(
                CheckpointLoader.load_checkpoint(str(path)), dict)
        except ValueError as error:
            assert str(path) in str(error)
        find_checkpoint(folder)


CONTENT = dict(
    metainfo=dict(classes=('a', 'b')),
    data_list=[dict(img_path='a.png', gt_label=1)])
PLACES = dict(
    whole=lambda trap: trap,
    metainfo=lambda trap: dict(CONTENT, metainfo=dict(classes=trap)),
    sample=lambda trap: dict(CONTENT, data_list=[dict(bbox=[1, trap])]),
    array=lambda trap: dict(CONTENT, data_list=np.array([trap, 1])))


@pytest.mark.parametrize('place', PLACES)
@pytest.mark.parametrize('ending', ['pkl', 'pickle', 'yml', 'yaml'])
def test_nothing_in_annotations_runs(tmp_path, place, ending):
    trap, path = tmp_path / 'trap', tmp_path / f'a.{ending}'
    content = PLACES[place](Trap(trap))
    if ending.startswith('p'):
        path.write_bytes(pickle.dumps(content))
        pickle.loads(path.read_bytes())  # it would
    else:
        path.write_text(yaml.dump(content))
        yaml.unsafe_load(path.read_text())
    trap.unlink()
    with pytest.raises(
            ValueError,
            match=f'^{path} cannot be read: the file holds .*, which'):
        BaseDataset(str(path))
    assert not trap.exists()


def test_only_arrays_have_a_state(tmp_path):
    """A file does not change the functions that it may name."""
    path = tmp_path / 'a.pkl'
    path.write_bytes(b"cnumpy.core.multiarray\nscalar\n(N(S'note'\nI1\ndtb.")
    with pytest.raises(ValueError, match='file holds a state of a function'):
        mmengine.load(path)
    assert not hasattr(data_pickles.scalar, 'note')


def test_numbers_are_no_addresses(tmp_path):
    """An array of objects, whose pointers would be what the file says."""
    code = (b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\nt'
            b"S'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n(S'%s'\nI0\nI1\ntR(I3\nS'|'\nN"
            b"NNI8\nI8\nI0\ntbI00\nS'12345678'\ntb.")
    path = tmp_path / 'a.pkl'
    path.write_bytes(code % b'S8')
    assert mmengine.load(path).tolist() == [b'12345678']
    for kind in (b'O', b'V8', b'O,O'):
        path.write_bytes(code % kind)
        with pytest.raises(ValueError, match=f'an array of {kind.decode()}'):
            mmengine.load(path)


CALL = b'cbuiltins\n%s\n(cbuiltins\nrange\n(I0\nI300000\ntRtR.'


@pytest.mark.parametrize(
    'content', [
        b'\x80\x05Nr' + struct.pack('<I', 2**24) + b'.', b'\x80\x05\x96' +
        struct.pack('<Q', 2**24) + b'.', CALL % b'list', CALL % b'set'
    ],
    ids=['number', 'bytearray', 'list', 'set'])
def test_a_few_bytes_do_not_fill_the_memory(tmp_path, content):
    """The unpickler in C makes a table up to the number of an object."""
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    peaks = []
    for load in (mmengine.load, lambda path: pickle.loads(path.read_bytes())):
        tracemalloc.start()
        with suppress(ValueError, pickle.UnpicklingError):
            load(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 2**23 < peaks[1]


def test_compressed_tensors_are_refused(tmp_path):
    path = tmp_path / 'a.pkl'
    path.write_bytes(b'ctorch.storage\n_load_from_bytes\n(C\2PKtR.')
    with pytest.raises(ValueError, match='ValueError: compressed'):
        mmengine.load(path)


# A tuple of one, then 14 that hold the one before twice
KEY = b'K\x01\x85' + b'2\x86' * 14


@pytest.mark.parametrize('content', [
    b'}' + KEY + b'Ns.',
    b'}(' + KEY + b'Nu.',
    b'(' + KEY + b'Nd.',
    b'\x8f(' + KEY + b'\x90.',
    b'(' + KEY + b'\x91.',
    b'cbuiltins\nset\n(]' + KEY + b'atR.',
    b'cbuiltins\nfrozenset\n(]' + KEY + b'atR.',
    pickle.dumps({(frozenset(range(1001)), )}),
])
def test_keys_whose_hash_would_take_for_ever_are_refused(tmp_path, content):
    """Or overflow the stack: Python hashes tuples without a limit."""
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='a key has more than 1000 parts'):
        mmengine.load(path)


def doubled(first: str, form: str, last: str) -> str:
    """YAML of which each line names the one before twice."""
    lines = (f'- &a{row} ' + form.format(f'*a{row - 1}, *a{row - 1}')
             for row in range(1, 18))
    return '\n'.join([f'- &a0 {first}', *lines, f'- {last}'])


@pytest.mark.parametrize(
    'text, words',
    [('[' * 10**5, 'more than 1000 levels'),
     (doubled('!!python/tuple [1]', '!!python/tuple [{}]',
              '{? *a17 : 1}'), 'a key has more than 1000 parts'),
     (doubled('{x: 1}', '{{<<: [{}]}}',
              ''), 'more than 100000 items are merged by <<'),
     ('1' + ':1' * 10**4, 'a number has more than 10 colons'),
     ('1' + ':1' * 10**4 + '.', 'a number has more than 10 colons')],
    ids=['deep', 'key', 'merged', 'int', 'float'])
def test_short_yaml_takes_little_time(tmp_path, text, words):
    path = tmp_path / 'a.yml'
    path.write_text(text)
    with pytest.raises(ValueError, match=f'a.yml, which is broken .*{words}'):
        mmengine.load(path)


ARRAY = (b'cnumpy.core.multiarray\n_reconstruct\n)R(I1\n(I8\ntcnumpy\ndtype\n'
         b"(S'u1'\nI0\nI1\ntRI00\nS'12345678'\ntb")


def test_arrays_keep_their_numbers(tmp_path):
    """Others may be views of these, which numpy would free."""
    path = tmp_path / 'a.pkl'
    path.write_bytes(ARRAY + b'.')
    assert mmengine.load(path).tobytes() == b'12345678'
    path.write_bytes(ARRAY + b'Nb.')
    with pytest.raises(ValueError, match='file holds a state of a ndarray'):
        mmengine.load(path)
    path.write_bytes(ARRAY + b'\x98.')
    with pytest.raises(ValueError, match='a.pkl, which is broken'):
        mmengine.load(path)


@pytest.mark.parametrize('content', [
    ARRAY + b'I0\nI9\ns.', ARRAY + b'(I0\nI9\nu.', b']I1\naI0\nI9\ns.',
    b'](I1\n\x90.', b'(I1\nd.'
])
def test_dicts_and_sets_alone_have_items(tmp_path, content):
    """One tensor may show a number a billion times, and be filled."""
    path = tmp_path / 'a.pkl'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='TypeError: descriptor|zip.. arg'):
        mmengine.load(path)


ANNOTATIONS = dict(
    pkl=pickle.dumps((CONTENT, np.eye(3))),
    json=json.dumps(CONTENT).encode(),
    yml=yaml.dump(CONTENT).encode())


@FUZZ
@given(
    st.one_of(*(st.tuples(st.just(ending), damaged([content]))
                for ending, content in ANNOTATIONS.items())))
def test_damaged_annotations_are_named(damage):
    ending, data = damage
    with TemporaryDirectory() as folder:
        path = Path(folder) / f'a.{ending}'
        path.write_bytes(data)
        try:
            mmengine.load(path)
        except ValueError as error:
            assert str(path) in str(error)
            assert '\n' not in str(error)


LOAD = TRANSFORMS.build(dict(type='mmregioncl.LoadImage', most_corrupt=1))


@FUZZ
@given(
    damaged([
        encode(kind)
        for kind in ('png', 'jpeg', 'gif', 'bmp', 'tiff', 'webp', 'ppm')
    ]))
def test_damaged_images_are_loaded_or_skipped(data):
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'image'
        path.write_bytes(data)
        results = LOAD(dict(img_path=str(path)))
        assert results is None or (results['img'].dtype == np.uint8
                                   and results['img'].shape[2] == 3)


def png_header(width: int, height: int) -> bytes:
    header = b'IHDR' + struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0)
    return b'\x89PNG\r\n\x1a\n\0\0\0\r' + header + struct.pack(
        '>I', zlib.crc32(header)) + b'\0\0\0\0IDAT' + bytes(100)


@pytest.mark.parametrize('side', [20000, 10**5])
def test_images_that_would_fill_the_memory_are_refused(tmp_path, side):
    path = tmp_path / 'a.png'
    path.write_bytes(png_header(side, side))
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
    with pytest.raises(
            OSError,
            match=rf'{side}x{side} pixels are more than 178956970: '
            'cut it into tiles'):
        load(dict(img_path=str(path)))


@pytest.mark.slow
def test_large_images_of_other_kinds_are_refused(tmp_path):
    """By their headers, whatever the kind."""
    image = Image.new('1', (20000, 20000))
    image.save(tmp_path / 'a.tiff', compression='group4')
    image.save(tmp_path / 'b.tiff', compression='tiff_adobe_deflate')
    jpeg = io.BytesIO()
    Image.new('L', (16, 16)).save(jpeg, 'jpeg')
    data = bytearray(jpeg.getvalue())
    frame = data.index(b'\xff\xc0') + 5
    data[frame:frame + 4] = struct.pack('>HH', 20000, 20000)
    (tmp_path / 'c.jpg').write_bytes(data)
    for path in tmp_path.iterdir():
        assert path.stat().st_size < 2**17
        load = TRANSFORMS.build(
            dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
        with pytest.raises(
                OSError, match='400000000 pixels. exceeds|20000x20000 pixels'):
            load(dict(img_path=str(path)))


def test_many_bands_count_as_many_pixels(tmp_path):
    path = tmp_path / 'a.tiff'
    tifffile.imwrite(
        path,
        np.zeros((8, 8, 100), 'uint8'),
        photometric='minisblack',
        planarconfig='contig',
        metadata=None)
    with tifffile.TiffFile(path, mode='r+b') as file:
        for side in ('ImageWidth', 'ImageLength'):
            file.pages[0].tags[side].overwrite(3000)
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', channels=100, on_corrupt='raise'))
    with pytest.raises(
            OSError,
            match='3000x3000 pixels of 100 bands are 900000000 values, more '
            'than 715827880: cut it'):
        load(dict(img_path=str(path)))


@pytest.mark.parametrize('start', [
    b'#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 16000 +X 16000\n',
    b'PF\n30000 30000\n-1.0\n', b'P7\nWIDTH 30000\nHEIGHT 30000\n'
])
def test_kinds_whose_size_is_not_known_are_refused(tmp_path, start):
    path = tmp_path / 'a.png'
    path.write_bytes(start + bytes(100))
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
    with pytest.raises(OSError, match='it is a Radiance HDR, PFM or PAM file'):
        load(dict(img_path=str(path)))


def test_a_tile_is_no_larger_than_an_image(tmp_path):
    path = tmp_path / 'a.tiff'
    tifffile.imwrite(path, np.zeros((10, 10), 'uint8'), tile=(16, 16))
    with tifffile.TiffFile(path, mode='r+b') as file:
        for side in ('TileWidth', 'TileLength'):
            file.pages[0].tags[side].overwrite(30000)
    load = TRANSFORMS.build(
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'))
    with pytest.raises(OSError, match='30000x30000 pixels are more than'):
        load(dict(img_path=str(path)))


def test_many_pages_are_not_read(monkeypatch):
    """As bands of an image: they would take a minute."""
    tifffile.imwrite(
        file := io.BytesIO(),
        np.zeros((4, 2, 2), 'uint8'),
        imagej=True,
        metadata=dict(axes='CYX'),
        contiguous=False)
    content = file.getvalue()
    assert tiff.read_header(content).bands == 4
    monkeypatch.setattr(tiff, 'MOST_PAGES', 3)
    assert tiff.read_header(content).bands == 1


@pytest.mark.slow
@settings(FUZZ, max_examples=40)
@given(
    st.binary(max_size=60) | st.text(max_size=30).map(str.encode)
    | damaged([b'a.png\nb/c.JPG\n']))
def test_any_list_of_images_is_read_or_refused(content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'list.txt'
        path.write_bytes(content)
        try:
            assert len(ImageFolder(folder, str(path)))
        except ValueError as error:
            assert 'list.txt' in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5)
    | st.sampled_from(['run', 'protocols', 'numbers']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ['run', 'protocols', 'versions', 'numbers', 'spread', 'x']),
        inner,
        max_size=4),
    max_leaves=12)


@FUZZ
@given(JSON)
def test_any_results_are_read_or_refused(content):
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'results.json'
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match='is damaged: remove it'):
            read_results(path)


def test_deep_results_are_refused(tmp_path):
    path = tmp_path / 'results.json'
    path.write_text('[' * 10**5)
    with pytest.raises(ValueError, match='is damaged: remove it'):
        read_results(path)


@pytest.mark.slow
@FUZZ
@given(st.lists(JSON.map(json.dumps) | st.text(max_size=20), max_size=4))
def test_damaged_scalars_are_left_out(lines):
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'run/vis_data/scalars.json'
        path.parent.mkdir(parents=True)
        text = '\n'.join(['{"step": 1, "loss": 2.0}', *lines, '{"step": 2'])
        path.write_text(text, errors='replace')
        assert read_curves(folder)['loss'][0] == [1, 2.0]


@FUZZ
@given(st.text() | st.sampled_from([
    'a = ' + '(' * 300, 'a = ' + '-' * 10**4, 'a = dict(**b)', 'a = dict(1, 2)'
]))
def test_a_config_in_a_checkpoint_is_read_or_refused(text):
    """ResumeHook takes any exception for a config that is not known."""
    before = set(os.listdir())
    try:
        read_settings(text)
        changes(text, 'model = dict(a=1)')
    except Exception as error:
        assert not isinstance(error, (SystemError, OSError))
    assert set(os.listdir()) == before


ODD = st.none() | st.booleans() | st.sampled_from(
    [-1, 0, 3, 1e400,
     float('nan'), 10**400, '', '4', [], [1, 2], {}])


@st.composite
def altered(draw, content):
    """A copy of which some part is something else, or is not there."""
    if not isinstance(content, (dict, list, tuple)) or not content or draw(
            st.integers(0, 5)) == 0:
        return draw(ODD)
    keys = [*content] if isinstance(content, dict) else range(len(content))
    key = draw(st.sampled_from(keys))
    items = dict(content) if isinstance(content, dict) else [*content]
    if draw(st.booleans()) and draw(st.booleans()):
        del items[key]
    else:
        items[key] = draw(altered(items[key]))
    return tuple(items) if isinstance(content, tuple) else items


COCO = dict(
    images=[
        dict(id=1, file_name='a.png', height=8, width=6),
        dict(id='b', file_name='c/b.png', height=8, width=6)
    ],
    annotations=[
        dict(image_id=1, bbox=[1, 2, 3, 4.5], iscrowd=0),
        dict(image_id='b', bbox=[0, 0, 6, 8])
    ])


@pytest.mark.slow
@FUZZ
@example('{"images": [{"id": 1, "file_name": "a", "height": 0, "width": 1}], '
         '"annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]}')
@example('{"images": [{"id": 1, "file_name": "a", "height": 1, "width": 1}], '
         '"annotations": [{"image_id": 1, "bbox": [0, 0, NaN, 1]}]}')
@given(
    altered(COCO).map(json.dumps) | JSON.map(json.dumps)
    | damaged([b'a.png\tn\t0\t1\t9\t9\n']).map(
        lambda data: data.decode(errors='surrogateescape')))
def test_any_objects_are_read_or_refused(text):
    with TemporaryDirectory() as folder:
        path = Path(folder) / 'objects'
        path.write_text(text, errors='surrogateescape')
        try:
            objects = read_objects(path)
        except ValueError as error:
            assert str(error).startswith(f'{path} has ')
        else:
            assert objects
            for name, boxes in objects.items():
                assert name == Path(name).name
                assert boxes.shape[1:] == (4, ) and boxes.isfinite().all()


BOXES = dict(
    edges=[torch.tensor([[0, 0, 8, 6], [1, 2, 3, 4]], dtype=torch.uint8)],
    image_size=[8, 6],
    fingerprints=['a'],
    schedule=(1, 2),
    histograms={1: [3, 4]})


@FUZZ
@given(altered(BOXES))
def test_boxes_of_a_checkpoint_lie_in_the_image(state):
    if is_saved(state):
        for edges in state['edges']:
            store = BoxStore(len(edges), state['image_size'])
            store.update(edges)
            assert ((0 <= store.boxes) & (store.boxes <= 1)).all()


@pytest.mark.parametrize('damage', [
    dict(edges=[torch.full((2, 4), 9, dtype=torch.uint8)]),
    dict(edges=[torch.full((2, 4), -1, dtype=torch.int16)]),
    dict(edges=[torch.ones(2, 4)]),
    dict(edges=[torch.tensor(3, dtype=torch.uint8)]),
    dict(image_size=[8, 6, 4]),
    dict(image_size=[10**30, 6]),
    dict(schedule=(1, None)),
    dict(histograms=None),
])
def test_damaged_boxes_are_not_used(damage):
    assert is_saved(BOXES)
    assert not is_saved({**BOXES, **damage})
