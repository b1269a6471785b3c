"""Rows of a data set, shared among the processes of a run."""
from itertools import chain
from typing import List

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from torch import Tensor


def rank_batches(count: int, batch_size: int) -> List[List[int]]:
    """Batches of consecutive rows for this rank to process.

    Ranks take turns in the batches of a single process, so the result of a
    batch does not depend on the number of processes.

    Args:
        count (int): Total number of rows.
        batch_size (int): Rows per batch; the last batch may have fewer.

    Returns:
        list[list[int]]: Row numbers of each batch.
    """
    rows = torch.arange(count).split(batch_size)
    return [part.tolist() for part in rows[get_rank()::get_world_size()]]


def rows_of(batches: List[List[int]]) -> List[int]:
    """Row numbers of all batches in one list."""
    return list(chain.from_iterable(batches))


def gather_rows(rows: Tensor, batches: List[List[int]], count: int) -> Tensor:
    """Collect the rows of all ranks, in order and on every rank.

    Args:
        rows (Tensor): Rows of this rank, (M, ...).
        batches (list[list[int]]): Result of :func:`rank_batches`.
        count (int): Total number of rows, N.

    Returns:
        Tensor: Shape (N, ...).
    """
    if get_world_size() == 1:
        return rows
    full = rows.new_zeros(count, *rows.shape[1:])
    full[rows_of(batches)] = rows
    all_reduce(full)  # sums each row with zeros: exact
    return full
