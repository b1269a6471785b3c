from typing import List, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.runner import Runner
from torch import Tensor, nn
from tqdm import tqdm

from mmregioncl.datasets import ImageFolder
from mmregioncl.engine.config import innermost_configs
from mmregioncl.models.utils import check_weights, feature_map
from mmregioncl.transfer import read_weights


def load_model(cfg: Config, checkpoint: Optional[str] = None) -> nn.Module:
    """Build the model of a config, in eval mode on the device at hand.

    Args:
        cfg (Config): A pre-training config.
        checkpoint (str, optional): Weights of exactly this model. Defaults to
            None, freshly initialised weights.

    Raises:
        ValueError: If the checkpoint is of another architecture.
    """
    init_default_scope(cfg.get('default_scope', 'mmselfsup'))
    model = MODELS.build(cfg.model)
    if checkpoint is None:
        model.init_weights()
    else:
        model.load_state_dict(check_weights(model, read_weights(checkpoint)))
    return model.to(get_device()).eval()


def view_size(cfg: Config) -> int:
    """Side in pixels of the first view that a train pipeline crops."""
    parts = innermost_configs('', cfg.train_dataloader.dataset)
    todo = [step for _, part in parts for step in part.get('pipeline', [])]
    while todo:
        step = todo.pop(0)
        if isinstance(step, list):
            todo = step + todo
        elif step['type'].split('.')[-1] in ('RandomResizedCrop',
                                             'ContrastiveCrop'):
            size = step['size']
            return size if isinstance(size, int) else size[0]
        else:
            todo = list(step.get('transforms', [])) + todo
    raise ValueError('the train pipeline has no RandomResizedCrop or '
                     'ContrastiveCrop to tell the size of images')


def eval_pipeline(size: int) -> List[dict]:
    """Test-time pipeline: the centre square, at the size of the views.

    From 96 pixels on, the shorter edge is resized to 8/7 of the size before
    the crop (256 to 224, as on ImageNet); smaller images are not cropped into.

    Args:
        size (int): Side of the square in pixels.
    """
    edge = size * 8 // 7 if size >= 96 else size
    return [
        dict(type='mmregioncl.LoadImage', on_corrupt='raise'),
        dict(type='mmcls.ResizeEdge', scale=edge, edge='short'),
        dict(type='CenterCrop', crop_size=size),
        dict(type='PackSelfSupInputs', algorithm_keys=['gt_label']),
    ]


def class_folder(root: str, size: int) -> dict:
    """Config of a labelled data set: a folder with one folder per class."""
    return dict(
        type='mmcls.CustomDataset',
        data_root=root,
        extensions=ImageFolder.EXTENSIONS,
        pipeline=eval_pipeline(size))


@torch.no_grad()
def extract_features(model: nn.Module,
                     dataset: dict,
                     batch_size: int = 128,
                     num_workers: int = 2) -> Tuple[Tensor, Tensor]:
    """Features of a labelled data set, averaged over the last feature map.

    Args:
        model (nn.Module): A pre-training algorithm of mmselfsup in eval mode.
        dataset (dict): Config of the data set.
        batch_size (int): Defaults to 128.
        num_workers (int): Defaults to 2.

    Returns:
        tuple[Tensor, Tensor]: Features (N, C), float32, and labels (N,),
        int64, both on the CPU and in the order of the data set.
    """
    loader = Runner.build_dataloader(
        dict(
            dataset=DATASETS.build(dataset),
            batch_size=batch_size,
            num_workers=num_workers,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate')))
    features, labels = [], []
    for batch in tqdm(loader, desc='features', disable=None, leave=False):
        inputs, samples = model.data_preprocessor(batch)
        maps = feature_map(model(inputs, mode='tensor'))  # (N, C, H, W)
        features.append(maps.mean((2, 3)).float().cpu())
        labels.append(torch.cat([s.gt_label.value.flatten() for s in samples]))
    return torch.cat(features), torch.cat(labels).cpu()
