"""Weights of one package in the words of another: dicts to dicts."""
import pickle
import re
from pathlib import Path
from typing import Dict, NoReturn, Union

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor

from mmregioncl.files import whole_file

Weights = Dict[str, Tensor]


def read_weights(path: Union[str, Path]) -> Weights:
    """The weights of a checkpoint of any package, on the CPU.

    Args:
        path (str or Path): File, or an address that MMEngine reads;
            ``.safetensors`` as well.

    Raises:
        ValueError: If the file is not whole, or holds no weights.
    """
    if str(path).endswith('.safetensors'):
        weights = read_safetensors(path)
    else:
        weights = CheckpointLoader.load_checkpoint(str(path), 'cpu')
    for name in ('state_dict', 'model'):
        weights = weights.get(name, weights)
    if not weights or not all(map(torch.is_tensor, weights.values())):
        raise ValueError(f'{path} is no checkpoint: it holds no weights')
    # As DistributedDataParallel writes them
    return {name.removeprefix('module.'): weights[name] for name in weights}


def read_safetensors(path: Union[str, Path]) -> Weights:
    from safetensors import SafetensorError
    from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f'cannot load {path}, which is broken: take another '
                         'checkpoint') from error


def backbone_weights(weights: Weights) -> Weights:
    """The backbone's part of a checkpoint, without a prefix.

    Args:
        weights (dict[str, Tensor]): Of a pre-training run of OpenMMLab or
            OpenSelfSup, or of a backbone alone.

    Raises:
        ValueError: If there is no backbone in them.
    """
    for prefix in ('backbone.', 'encoder_q.0.', ''):
        part = {
            name.removeprefix(prefix): value
            for name, value in weights.items() if name.startswith(prefix)
        }
        if 'conv1.weight' in part:
            return {k: v for k, v in part.items() if not k.startswith('fc.')}
    raise ValueError('the checkpoint holds no ResNet: of its '
                     f'{len(weights)} weights, such as {next(iter(weights))}, '
                     'none is named conv1.weight or backbone.conv1.weight')


def to_detectron2(weights: Weights) -> Weights:
    """A ResNet's weights by the names of detectron2.

    Args:
        weights (dict[str, Tensor]): By torchvision's names, which are those
            of OpenMMLab and timm as well.
    """

    def rename(name: str) -> str:
        name = re.sub(r'^layer(\d)', lambda m: f'res{int(m[1]) + 1}', name)
        if not name.startswith('res'):
            name = f'stem.{name}'
        name = re.sub(r'\bbn(\d)\.', r'conv\1.norm.', name)
        name = name.replace('downsample.0.', 'shortcut.')
        return name.replace('downsample.1.', 'shortcut.norm.')

    return {
        rename(name): value
        for name, value in weights.items()
        if not name.endswith('num_batches_tracked')
    }


# What each package calls a ResNet's weights
LAYOUTS = dict(
    openmmlab=dict,
    torchvision=dict,
    timm=dict,
    detectron2=to_detectron2,
)


def write_weights(weights: Weights, path: Union[str, Path]) -> None:
    """Write weights, under their name only when they are whole.

    Args:
        weights (dict[str, Tensor]): Any.
        path (str or Path): ``.safetensors``; ``.pkl``, a pickle of arrays as
            detectron2 reads it; else PyTorch's format.
    """
    suffix = Path(path).suffix
    with whole_file(path) as part:
        if suffix == '.safetensors':
            from safetensors.torch import save

            # Not save_file, which leaves a file that nobody else may read
            tensors = {k: v.contiguous() for k, v in weights.items()}
            part.write_bytes(save(tensors))
        elif suffix == '.pkl':
            content = dict(
                model={
                    k: v.numpy()
                    for k, v in weights.items()
                },
                __author__='mmregioncl',
                matching_heuristics=True)
            part.write_bytes(pickle.dumps(content))
        else:
            torch.save(weights, part)


def from_openselfsup(weights: Weights) -> Weights:
    """A MoCo or RegionCL-M checkpoint of OpenSelfSup, as mmselfsup names it.

    Args:
        weights (dict[str, Tensor]): Of OpenSelfSup's ``MOCO`` or of the
            official ``RegionCLM``.

    Raises:
        ValueError: If they are of something else.
    """
    ours = {}
    for name, value in weights.items():
        if name.startswith('backbone.'):  # again, under encoder_q.0
            continue
        ours[renamed(name, OPENSELFSUP)] = value
    if 'queue' not in ours:
        refuse(next(iter(weights), 'nothing'))
    # The average holds something already: the next step must not copy.
    ours['encoder_k.steps'] = torch.tensor(1)
    return ours


OPENSELFSUP = {
    'encoder_q.0.': 'backbone.',
    'encoder_q.1.': 'neck.',
    'encoder_k.0.': 'encoder_k.module.0.',
    'encoder_k.1.': 'encoder_k.module.1.',
    'queue': 'queue',
    'queue_ptr': 'queue_ptr',
}


def to_openselfsup(weights: Weights) -> Weights:
    """The reverse, for a checkpoint of MoCo or RegionCL-M.

    Args:
        weights (dict[str, Tensor]): Of mmselfsup's ``MoCo`` or of
            ``RegionCLMoCo``.

    Raises:
        ValueError: If they are of something else.
    """
    theirs = {}
    for name, value in weights.items():
        if name == 'encoder_k.steps':
            continue
        theirs[renamed(name, {b: a for a, b in OPENSELFSUP.items()})] = value
        if name.startswith('backbone.'):
            theirs[name] = value.clone()  # safetensors shares no memory
    if 'queue' not in theirs:
        refuse(next(iter(weights), 'nothing'))
    return theirs


def renamed(name: str, prefixes: Dict[str, str]) -> str:
    """A weight's name with another prefix; a prefix without dot is a name."""
    for before, after in prefixes.items():
        if name == before or before.endswith('.') and name.startswith(before):
            return after + name.removeprefix(before)
    refuse(name)


def refuse(name: str) -> NoReturn:
    raise ValueError(f'{name} belongs to no MoCo or RegionCL-M: only their '
                     'checkpoints can be converted')
