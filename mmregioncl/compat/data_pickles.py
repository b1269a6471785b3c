"""Unpickle plain data only.

The unpickler in C makes a table as long as the largest number that a file
gives an object, which a few bytes can make fill the memory, and
:mod:`pickletools` takes as long to look for it as the unpickler in Python,
which is used here.
"""
import datetime
import pickle
import struct
from io import BytesIO
from typing import Any, Collection

import numpy as np
import torch

MOST_PARTS = 1000  # of a key


class NotData(ValueError):
    """A file names a function or a class.

    Args:
        name (str): That name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(
            f'the file holds {name}, which might run code: if you trust it, '
            'write it again with only lists, dicts, text, numbers and arrays')


def check_keys(keys: Collection) -> Collection:
    """Refuse keys of many parts, which Python visits one by one to hash them.

    Tuples that contain the same tuple twice, level by level, double the parts.

    Raises:
        ValueError: If a key has more than 1000.
    """
    for key in keys:
        parts = [key]
        for part in parts:  # which grow
            if isinstance(part, (tuple, frozenset)):
                parts += part
            if len(parts) > MOST_PARTS:
                raise ValueError(f'a key has more than {MOST_PARTS} parts')
    return keys


class Kind:
    """Stands for the dtype of an array while a pickle is read.

    That of numpy accepts any state, even one in which numbers are addresses.
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
    """A tensor within its storage; upstream would allocate a larger one."""
    whole = torch.empty(0, dtype=numbers.dtype).set_(numbers)
    return whole.as_strided(size, stride, offset)


# What a pickle of data may name, where numpy._core is numpy.core. A range or a
# tensor may have more items than the file has bytes; a list does not.
KNOWN = {
    'builtins.set':
    lambda items: set(check_keys(list.copy(items))),
    'builtins.frozenset':
    lambda items: frozenset(check_keys(list.copy(items))),
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
    lambda data=b'', *code: bytearray(
        data if isinstance(data, bytes) else data.encode('latin1')),
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
    also allocates as much memory as a few bytes ask for.
    """

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
        # Another array may be a view of one that has its numbers already.
        elif isinstance(found, np.ndarray) and not found.size:
            _, shape, kind, is_fortran, data = state
            found.__setstate__((1, shape, kind.dtype, is_fortran, data))
        else:
            raise NotData(f'a state of a {type(found).__name__}')

    def load_bytearray8(self) -> None:
        """Read bytes; upstream allocates as many as the file states."""
        size, = struct.unpack('<Q', self.read(8))
        self.append(bytearray(self.read(size)))

    def load_dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        self.set_items(items)

    def load_setitem(self) -> None:
        items = self.stack[-2:]
        del self.stack[-2:]
        self.set_items(items)

    def load_setitems(self) -> None:
        self.set_items(self.pop_mark())

    def set_items(self, items: list) -> None:
        """Fill a dict; upstream also fills lists, arrays and tensors."""
        keys = check_keys(items[::2])
        dict.update(self.stack[-1], zip(keys, items[1::2], strict=True))

    def load_additems(self) -> None:
        items = check_keys(self.pop_mark())
        set.update(self.stack[-1], items)

    def load_frozenset(self) -> None:
        items = check_keys(self.pop_mark())
        self.append(frozenset(items))

    dispatch = {
        **pickle._Unpickler.dispatch, pickle.BUILD[0]: load_build,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.DICT[0]: load_dict,
        pickle.SETITEM[0]: load_setitem,
        pickle.SETITEMS[0]: load_setitems,
        pickle.ADDITEMS[0]: load_additems,
        pickle.FROZENSET[0]: load_frozenset
    }
    # Nothing in a file needs it, and an array may drop what it shows.
    del dispatch[pickle.READONLY_BUFFER[0]]
