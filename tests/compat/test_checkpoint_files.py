import os
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader


class Foreign:
    """An object that weights-only loading refuses."""


@pytest.mark.parametrize('content, fault', [
    (b'', 'is broken or not a checkpoint'),
    (b'no checkpoint', 'is broken or not a checkpoint'),
    (None, 'is broken or not a checkpoint'),
    (Foreign(),
     r'contains .*Foreign, which is not safe to load: save the state_d'
     r'ict\(\) of a whole model, or use another checkpoint$'),
])
def test_broken_checkpoint_is_named(tmp_path, content, fault):
    path = tmp_path / 'epoch_1.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(dict(extra=content), path)
    if content is None:  # cut short
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
            ValueError, match=f'^cannot load {path}, which {fault}'):
        CheckpointLoader.load_checkpoint(str(path))


@pytest.mark.parametrize('length', [10, 1000, 5000, 20000, 66000, 100000])
def test_checkpoint_of_any_length_is_named(tmp_path, length):
    """PyTorch raises different errors for different lengths."""
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(weights=torch.rand(100000)), path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=f'^cannot load {path}, which is'):
        CheckpointLoader.load_checkpoint(str(path))


def test_other_objects_are_refused(tmp_path):
    torch.save([torch.rand(1)], tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='a.pth contains a list, not a d'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))


def test_missing_checkpoint_is_named():
    with pytest.raises(FileNotFoundError, match='nowhere.pth'):
        CheckpointLoader.load_checkpoint('nowhere.pth')


@pytest.mark.parametrize('fault', [
    torch.OutOfMemoryError('CUDA out of memory'),
    RuntimeError('Attempting to deserialize object on a CUDA device'),
    PermissionError('denied'),
])
def test_other_errors_are_passed_on(tmp_path, monkeypatch, fault):

    def load(*args, **kwargs):
        raise fault

    torch.save({}, tmp_path / 'a.pth')
    monkeypatch.setattr(torch, 'load', load)
    with pytest.raises(type(fault), match=str(fault)):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'))


class Harmless:
    """Makes a folder when it is unpickled, as malicious code would run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder), )


@pytest.fixture
def address(tmp_path, monkeypatch):
    """Address of tmp_path on a server of this machine."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    monkeypatch.setattr(handler.func, 'log_message', lambda *args: None)
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


@pytest.mark.parametrize('place', ['path', 'address'])
def test_no_code_of_a_checkpoint_runs(place, address, tmp_path):
    torch.save(dict(extra=Harmless(tmp_path / 'ran')), tmp_path / 'bad.pth')
    torch.save(dict(weight=torch.ones(2)), tmp_path / 'good.pth')
    root = tmp_path if place == 'path' else address
    good = CheckpointLoader.load_checkpoint(f'{root}/good.pth', 'cpu')
    assert good['weight'].tolist() == [1, 1]
    with pytest.raises(Exception, match='not safe to load|Weights only load'):
        CheckpointLoader.load_checkpoint(f'{root}/bad.pth', 'cpu')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('parts', [['a/data.pkl', 'a/data/0'], ['a.pth']])
def test_compressed_checkpoints_at_an_address_are_not_inflated(
        parts, address, tmp_path):
    """torch.hub itself would unpack an archive of one file."""
    with zipfile.ZipFile(tmp_path / 'bomb.pth', 'w',
                         zipfile.ZIP_DEFLATED) as bomb:
        for name in parts:
            bomb.writestr(name, bytes(10**6))
    with pytest.raises(ValueError, match='bomb.pth, which is compressed and'):
        CheckpointLoader.load_checkpoint(f'{address}/bomb.pth')
    assert [path.name for path in tmp_path.rglob('*.*')] == ['bomb.pth'] * 2


def test_addresses_that_end_alike_are_different_files(address, tmp_path):
    for folder in 'ab':
        (tmp_path / folder).mkdir()
        torch.save(dict(name=folder), tmp_path / folder / 'model.pth')
    for folder in 'ab':
        found = CheckpointLoader.load_checkpoint(
            f'{address}/{folder}/model.pth')
        assert found['name'] == folder


@pytest.mark.parametrize('path', ['/gone.pth', ''])
def test_an_address_that_cannot_be_read_is_named(address, path):
    """There is no file, or no server."""
    if not path:
        address = 'http://127.0.0.1:1/epoch_1.pth'
    with pytest.raises(
            OSError, match=f'^cannot download {address}{path} .*check the ad'):
        CheckpointLoader.load_checkpoint(address + path)
