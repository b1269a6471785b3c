"""Foreign objects in an annotation file run, and errors do not name the file.

MMEngine 0.10.7 reads ``.pkl`` and ``.pickle`` by ``pickle.load``, and ``.yml``
and ``.yaml`` by PyYAML's loader for files that are trusted. Both call whatever
function a file names. So does MMSegmentation 1.2.2 with
``decode_backend='pickle'``. No upstream issue is known.
"""
import datetime
import pickle
import struct
import sys
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from io import BytesIO
from types import ModuleType, SimpleNamespace
from typing import Any, Iterator, Optional

import numpy as np
import torch
import yaml
from mmengine.fileio import load as load_any
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import PickleHandler, YamlHandler
from yaml import FullLoader

from .substitute import substitute

try:
    from yaml import CSafeLoader as SafeLoader
except ImportError:  # PyYAML without its extension
    from yaml import SafeLoader  # type: ignore[assignment]

MMSEG_IO = 'mmseg.utils.io'
PYTHON = 'tag:yaml.org,2002:python/'


def patch() -> None:
    register_handler(['pkl', 'pickle'])(DataPickleHandler)
    register_handler(['yml', 'yaml'])(DataYamlHandler)
    substitute(load_any, load)
    if MMSEG_IO in sys.modules:
        unpickle_data(sys.modules[MMSEG_IO])
    elif not any(isinstance(one, DataPickles) for one in sys.meta_path):
        sys.meta_path.insert(0, DataPickles())


def load(file, *args, **kwargs) -> Any:
    """Load JSON, YAML or a pickle, with errors that name the file.

    Arguments are those of ``mmengine.fileio.load``.

    Raises:
        ValueError: If the file is broken, or holds more than data.
    """
    try:
        return load_any(file, *args, **kwargs)
    except NotData as error:
        raise ValueError(f'{file} cannot be read: {error}') from error
    except (ValueError, RecursionError) as error:
        fault = ' '.join(str(error).split())
        raise ValueError(f'cannot read {file}, which is broken ({fault}): '
                         'create it again') from error


class NotData(ValueError):
    """A file names a function or a class.

    Args:
        name (str): That name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f'the file holds {name}, which might run code: if you trust it, '
            'write it again with lists, dicts, text, numbers and arrays alone')


@contextmanager
def broken_bytes() -> Iterator[None]:
    """Turn errors, which may be of any kind, into those of values."""
    try:
        yield
    except NotData:
        raise
    except Exception as error:
        raise ValueError(f'{type(error).__name__}: {error}') from error


class DataPickleHandler(PickleHandler):
    """Reads pickles of data, and runs nothing in others."""

    def load_from_fileobj(self, file, **kwargs) -> Any:
        """Load what a file holds.

        Raises:
            NotData: If it names anything else than data.
            ValueError: If it is broken.
        """
        with broken_bytes():
            return DataUnpickler(file, **kwargs).load()


class DataYamlHandler(YamlHandler):
    """Reads YAML of data, and runs nothing in others."""

    def load_from_fileobj(self, file, **kwargs) -> Any:
        """Load what a file holds.

        Raises:
            NotData: If it names an object of Python.
            ValueError: If it is broken.
        """
        kwargs.setdefault('Loader', DataLoader)
        with broken_bytes():
            return super().load_from_fileobj(file, **kwargs)


class DataLoader(SafeLoader):
    """PyYAML's loader of data, with the types that its dumper writes."""


def refuse(loader: DataLoader, name: str, node: yaml.Node) -> None:
    raise NotData(name)


for kind in ('none', 'bool', 'str', 'unicode', 'bytes', 'int', 'long', 'float',
             'complex', 'list', 'tuple', 'dict'):
    DataLoader.add_constructor(PYTHON + kind,
                               FullLoader.yaml_constructors[PYTHON + kind])
DataLoader.add_multi_constructor(PYTHON, refuse)


class Kind:
    """Stands for the dtype of an array while a pickle is read.

    That of numpy takes any state, also one in which numbers are addresses.
    """

    def __init__(self, code: str, align: bool, copy: bool) -> None:
        self.dtype = np.dtype(code)
        if self.dtype.kind not in 'biufcSU':
            raise NotData(f'an array of {code}')

    def set_state(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1])


def scalar(kind: Kind, data: bytes) -> np.generic:
    if not kind.dtype.itemsize:  # an empty string
        return kind.dtype.type()
    return np.frombuffer(data, kind.dtype)[0]


def from_buffer(data: bytes, kind: Kind, shape: tuple,
                order: str) -> np.ndarray:
    return np.frombuffer(data, kind.dtype).reshape(shape, order=order)


def empty_array(*args) -> np.ndarray:
    """An array that gets its state next."""
    return np.empty(0)


def storage(content: bytes) -> torch.TypedStorage:
    """Numbers of tensors, which upstream unpickles without a check."""
    if content.startswith(b'PK'):
        raise ValueError('compressed')
    return torch.load(BytesIO(content), 'cpu', weights_only=True)


def tensor(numbers: torch.TypedStorage, offset: int, size: tuple,
           stride: tuple, *_) -> torch.Tensor:
    """A tensor of numbers that there are; upstream would make room."""
    whole = torch.empty(0, dtype=numbers.dtype).set_(numbers)
    return whole.as_strided(size, stride, offset)


# What a pickle of data may name, where numpy._core is numpy.core. A range or a
# tensor may have more items than the file has bytes; a list does not.
KNOWN = {
    'builtins.set':
    lambda items=(): set(list.copy(items)),
    'builtins.frozenset':
    lambda items=(): frozenset(list.copy(items)),
    'builtins.complex':
    complex,
    'builtins.list':
    lambda: [],
    'collections.OrderedDict':
    lambda: {},
    'collections.defaultdict':
    lambda *kind: {},
    'datetime.datetime':
    datetime.datetime,
    'datetime.date':
    datetime.date,
    'builtins.bytes':
    lambda: b'',
    'builtins.bytearray':
    lambda data=b'', code='latin1': bytearray(
        data if isinstance(data, bytes) else data.encode(code)),
    '_codecs.encode':
    lambda text, code: text.encode('latin1'),
    'numpy.ndarray':
    None,
    'numpy.dtype':
    Kind,
    'numpy.core.multiarray._reconstruct':
    empty_array,
    'numpy.core.multiarray.scalar':
    scalar,
    'numpy.core.numeric._frombuffer':
    from_buffer,
    'torch.storage._load_from_bytes':
    storage,
    'torch._utils._rebuild_tensor_v2':
    tensor
}


class DataUnpickler(pickle._Unpickler):
    """Unpickles lists, dicts, text, numbers, arrays and tensors of these.

    Nothing else is called, and nothing else gets a state. The unpickler in C
    also takes as much memory as a few bytes ask for.
    """
    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        """The function of a name.

        Raises:
            NotData: If it is none of :data:`KNOWN`.
        """
        place = module.replace('__builtin__',
                               'builtins').replace('numpy._core', 'numpy.core')
        if f'{place}.{name}' not in KNOWN:
            raise NotData(f'{module}.{name}')
        return KNOWN[f'{place}.{name}']

    def load_build(self) -> None:
        """Set the state of an array or of its kind."""
        state, found = self.stack.pop(), self.stack[-1]
        if isinstance(found, Kind):
            found.set_state(state)
        elif isinstance(found, np.ndarray):
            _, shape, kind, is_fortran, data = state
            found.__setstate__((1, shape, kind.dtype, is_fortran, data))
        else:
            raise NotData(f'a state of a {type(found).__name__}')

    def load_bytearray8(self) -> None:
        """Read bytes; upstream makes room for as many as the file says."""
        size, = struct.unpack('<Q', self.read(8))
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


class DataPickles(MetaPathFinder):
    """Calls :func:`unpickle_data` once MMSegmentation is imported."""

    def find_spec(self,
                  fullname: str,
                  path,
                  target=None) -> Optional[ModuleSpec]:
        spec = None
        if fullname == MMSEG_IO:
            spec = PathFinder.find_spec(fullname, path)
        if spec is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                unpickle_data(module)

            spec.loader.exec_module = exec_module
        return spec


def unpickle_data(module: ModuleType) -> None:
    """Let a module unpickle data alone."""
    module.pickle = SimpleNamespace(loads=lambda content: DataPickleHandler().
                                    load_from_fileobj(BytesIO(content)))
