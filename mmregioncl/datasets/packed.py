from typing import Iterable, Iterator, Sequence, Union, overload

import numpy as np


class PackedStrings(Sequence):
    """Strings in one array, which forked workers share.

    A list of a million strings is copied into each worker, since Python counts
    the references to every string. Any string of Python is allowed, including
    names of files that are not valid UTF-8.

    Args:
        strings (Iterable[str]): The strings, read once.
    """

    def __init__(self, strings: Iterable[str]) -> None:
        text, lengths = bytearray(), [0]
        for string in strings:
            code = string.encode('utf-8', 'surrogatepass')
            text += code
            lengths.append(len(code))
        self.text = np.frombuffer(text, np.uint8)
        self.ends = np.cumsum(lengths, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, index: int) -> str:
        ...

    @overload
    def __getitem__(self, index: slice) -> 'PackedStrings':
        ...

    def __getitem__(self, index: Union[int,
                                       slice]) -> Union[str, 'PackedStrings']:
        """Return one string, or a slice of them."""
        if isinstance(index, slice):
            return PackedStrings(self[row]
                                 for row in range(*index.indices(len(self))))
        row = range(len(self))[index]  # negative indices, too
        start, end = self.ends[row:row + 2]
        return self.text[start:end].tobytes().decode('utf-8', 'surrogatepass')

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))
