import torch
from torch.utils.data import DataLoader

from mmregioncl.engine.batches import count_images, last_batch


def test_images_of_batches_are_counted():
    view, image = torch.zeros(5, 3, 4, 4), torch.zeros(3, 4, 4)
    for batch, count in (
        (dict(inputs=[view, view], data_samples=[]), 5),
        (dict(inputs=[view, view], data_samples=[None] * 5), 5),
        (dict(inputs=[image] * 4, data_samples=[None] * 4), 4),
        (dict(inputs=[view] * 2, data_samples=[None] * 2), 2),  # videos
        (dict(inputs=dict(a=view), data_samples=dict(a=[None])), None),
        (dict(inputs=[view, view], data_samples=torch.arange(5)), None),
        (dict(inputs=[view, view]), 5),
        (dict(inputs=[image, image]), 2),
        (dict(inputs=view), 5),
        (dict(inputs=torch.tensor(3)), None),
        (dict(inputs=[]), None),
        (dict(inputs=['a', 'b']), None),
        ([view, view], None),
    ):
        assert count_images(batch) == count


def test_batch_samplers_of_others_are_not_judged():
    """Such as MMDetection's, with which a loader has no batch size."""
    loader = DataLoader([0, 1, 2], batch_sampler=[[0, 1], [2]])
    assert last_batch(loader) is None
    assert last_batch(DataLoader([0, 1, 2], 2)) == 2
