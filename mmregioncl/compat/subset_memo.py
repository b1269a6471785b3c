"""A subset may contain objects of another data set.

``BaseDataset.get_subset`` of MMEngine 0.10 shares one memo among all its calls
(a mutable default), which says what was copied, by id. A later object may have
the id of one that is gone: then the old copy takes its place, such as a data
set that of a pipeline.
"""
import functools
from typing import Optional

from mmengine.dataset import BaseDataset


def patch() -> None:
    original = BaseDataset._copy_without_annotation
    if original.__defaults__ == (None, ):
        return

    @functools.wraps(original)
    def copy_without_annotation(self,
                                memo: Optional[dict] = None) -> BaseDataset:
        return original(self, {} if memo is None else memo)

    BaseDataset._copy_without_annotation = copy_without_annotation
