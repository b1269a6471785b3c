import pytest
import torch

from mmregioncl.models.utils import enqueue


@pytest.mark.parametrize(
    'batches',
    [
        [4, 4, 4],  # divides the length
        [5, 5, 5],  # wraps around in the middle of a batch
        [12],  # the whole queue
        [13, 3],  # more than the queue
        [29, 1],
    ])
def test_equals_writing_one_key_after_the_other(batches):
    length = 12
    queue, pointer = torch.zeros(3, length), torch.zeros(1, dtype=torch.long)
    expected, place = torch.zeros(3, length), 0
    for count in batches:
        keys = torch.randn(count, 3)
        enqueue(queue, pointer, keys)
        for key in keys:
            expected[:, place] = key
            place = (place + 1) % length
    assert torch.equal(queue, expected)
    assert pointer.tolist() == [place]


def test_keeps_the_dtype_of_the_queue():
    queue, pointer = torch.zeros(3, 4), torch.zeros(1, dtype=torch.long)
    enqueue(queue, pointer, torch.ones(2, 3, dtype=torch.bfloat16))
    assert queue.dtype == torch.float32
    assert queue.sum() == 6
