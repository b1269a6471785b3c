"""Foreign objects in a checkpoint run, and errors do not name the file.

MMEngine 0.10.7 loads addresses with torch.hub, whose default is
``weights_only=False``, which unpacks archives of one file, and mistakes one
address for another that ends in the same name. onedl-mmengine tries
``weights_only=False`` whenever True fails. The errors of ``torch.load`` do not
say which file is empty, truncated, not a checkpoint or not safe to load. It
also inflates compressed files, which PyTorch never writes, to any size.
``.safetensors``, the format of timm and most published weights, is not read at
all. No upstream issue is known.
"""
import hashlib
import os
import re
import struct
import zipfile
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Optional, Union
from urllib.parse import urlparse

import torch
from mmengine.runner import checkpoint as upstream
from mmengine.runner.checkpoint import CheckpointLoader
from torch.hub import download_url_to_file, get_dir

from mmregioncl.files import check_exists


def patch() -> None:
    CheckpointLoader.register_scheme('', load_from_local, force=True)
    upstream.load_url = load_from_url
    if hasattr(upstream, '_safe_torch_load'):  # in onedl-mmengine
        upstream._safe_torch_load = partial(torch.load, weights_only=True)


def load_from_url(url: str,
                  model_dir: Optional[str] = None,
                  map_location=None,
                  progress: bool = True) -> dict:
    """Load a checkpoint from an address, with errors that name it.

    Args:
        url (str): Address of the checkpoint.
        model_dir (str, optional): Folder for the file. Defaults to None, that
            of ``torch.hub``.
        map_location (optional): Argument of ``torch.load``.
        progress (bool): Whether to show a progress bar. Defaults to True.

    Returns:
        dict: The checkpoint.

    Raises:
        OSError: If it cannot be read.
        ValueError: As of :func:`load_from_local`.
    """
    folder = Path(model_dir or Path(get_dir(), 'checkpoints'))
    # Many addresses end in the same name, such as model.safetensors.
    path = folder / hashlib.sha256(url.encode()).hexdigest()[:8] / Path(
        urlparse(url).path).name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            download_url_to_file(url, str(path), progress=progress)
        except (OSError, HTTPException) as error:
            raise OSError(
                f'cannot download {url} ({error}): check the address, or'
                ' download the checkpoint and pass the file') from error
    return load_from_local(str(path), map_location)


def load_from_local(filename: str, map_location=None) -> dict:
    """Load a local checkpoint, with errors that name it.

    Args:
        filename (str): Path of the checkpoint.
        map_location (optional): Argument of ``torch.load``.

    Returns:
        dict: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken, is not a checkpoint, or has
            objects that ``weights_only`` does not allow.
    """
    check_exists(filename)
    if is_compressed(filename):
        raise ValueError(f'cannot load {filename}, which is compressed and may'
                         ' be a zip bomb: save it again with torch.save')
    if filename.endswith('.safetensors'):
        return read_safetensors(filename)
    try:
        weights = torch.load(
            os.path.expanduser(filename), map_location, weights_only=True)
    except PermissionError:
        raise
    except Exception as error:  # broken bytes may raise anything
        # These RuntimeErrors are about memory or devices, not the file.
        if isinstance(error, RuntimeError) and re.search(
                'CUDA|out of memory|on a .* device', str(error)):
            raise
        unsafe = re.search(r'GLOBAL (\S+)', str(error))
        fault = (f'contains {unsafe[1]}, which is not safe to load: save the '
                 'state_dict() of a whole model, or'
                 ) if unsafe else 'is broken or not a checkpoint:'
        raise ValueError(f'cannot load {filename}, which {fault} use another '
                         'checkpoint') from error
    if not isinstance(weights, dict):
        raise ValueError(
            f'{filename} contains a {type(weights).__name__}, not a '
            'dict of weights: use another checkpoint')
    return weights


def read_safetensors(filename: str) -> dict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(os.path.expanduser(filename))
    except SafetensorError as error:
        raise ValueError(f'cannot load {filename}, which is broken: use '
                         'another checkpoint') from error


def is_compressed(filename: Union[str, Path]) -> bool:
    """Whether a file is an archive with compressed or shared parts.

    Raises:
        ValueError: If it is an archive that is broken, or in which PyTorch may
            find other parts than Python.
    """
    with open(os.path.expanduser(filename), 'rb') as file:
        if file.read(2) != b'PK':
            return False
        try:
            if not has_one_list(file):
                raise zipfile.BadZipFile
            with zipfile.ZipFile(file) as archive:
                parts = archive.infolist()
        except Exception as error:  # broken bytes may raise anything
            raise ValueError(
                f'cannot load {filename}, which is broken or not a checkpoint:'
                ' use another checkpoint') from error
        return sum(part.file_size for part in parts) > file.seek(0, 2) or any(
            part.compress_type != zipfile.ZIP_STORED for part in parts)


def has_one_list(file: BinaryIO) -> bool:
    """Whether the list of parts of a zip is right before its last records.

    Otherwise PyTorch and Python may read different lists.
    """
    length = file.seek(0, 2)
    file.seek(max(length - 98, 0))
    tail = file.read().rjust(98, b'\0')
    place, size, start = length - 22, *struct.unpack('<II', tail[88:96])
    if tail[56:60] == b'PK\6\7':  # of more than 4 GB, as PyTorch writes all
        place, = struct.unpack('<Q', tail[64:72])
        size, start = struct.unpack('<QQ', tail[40:56])
        if place != length - 98 or tail[:4] != b'PK\6\6':
            return False
    return tail[76:80] == b'PK\5\6' and tail[96:] == b'\0\0' and (start + size
                                                                  == place)
