"""Convert weights between the names of several packages."""
import pickle
import re
from pathlib import Path
from typing import Any, Dict, Optional, Union

import torch
from mmengine.runner.checkpoint import CheckpointLoader

from mmregioncl.files import atomic_write, check_exists
from .families import Weights


def read_weights(path: Union[str, Path]) -> Weights:
    """Read the weights of a checkpoint of any package, on the CPU.

    Args:
        path (str or Path): A file, ``.safetensors`` too, or an address that
            MMEngine reads.

    Returns:
        dict[str, Tensor]: Weights by their names in the model, without
        ``module.`` and ``_orig_mod.``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is broken or contains no weights.
    """
    check_exists(path)
    weights = weights_in(CheckpointLoader.load_checkpoint(str(path), 'cpu'))
    if weights is None:
        raise ValueError(f'{path} is not a checkpoint: it has no weights')
    return weights


def weights_in(checkpoint: Any) -> Optional[Weights]:
    """The weights of a checkpoint by their names in the model.

    None if it has none.
    """
    for name in ('state_dict', 'model'):
        if isinstance(checkpoint, dict):
            checkpoint = checkpoint.get(name, checkpoint)
    if not isinstance(checkpoint, dict) or not checkpoint or not all(
            isinstance(name, str) and torch.is_tensor(value)
            for name, value in checkpoint.items()):
        return None
    # DistributedDataParallel and torch.compile add these.
    return {
        re.sub(r'^(module\.)+|\b_orig_mod\.', '', name): value
        for name, value in checkpoint.items()
    }


# Parts of whole models
OTHER_PARTS = (r'(neck|(bbox|roi|rpn|decode|auxiliary)_head|student|teacher|'
               r'encoder_[qk]|target_net|momentum_encoder)\.')
# Layers behind a backbone, in torchvision, timm and OpenMMLab. ConvNeXt's last
# norm has such a name, too.
CLASSIFIER = r'(fc|heads?|head_dist|classifier)\.'


def backbone_weights(weights: Weights) -> Weights:
    """Extract the backbone from a checkpoint, without a classifier.

    Args:
        weights (dict[str, Tensor]): As of :func:`backbone_part`, with names of
            OpenMMLab.

    Returns:
        dict[str, Tensor]: Weights of the backbone, without a prefix.

    Raises:
        ValueError: If there is no backbone in the checkpoint.
    """
    return {
        name: value
        for name, value in backbone_part(weights).items()
        if not re.match(CLASSIFIER, name)
    }


def backbone_part(weights: Weights) -> Weights:
    """Extract the backbone from a checkpoint.

    Its names begin with ``backbone.``, or ``encoder_q.0.`` in OpenSelfSup's.
    A file without either is only a backbone, or one with a classifier. Every
    backbone of images has weights of more than two axes, such as convolutions.

    Args:
        weights (dict[str, Tensor]): Weights of any model of OpenMMLab, of a
            pre-training run of OpenSelfSup, or of a backbone of any package.

    Returns:
        dict[str, Tensor]: Weights without a prefix.

    Raises:
        ValueError: If there is no backbone in the checkpoint.
    """
    for prefix in ('backbone.', 'encoder_q.0.', ''):
        part = {
            name.removeprefix(prefix): value
            for name, value in weights.items() if name.startswith(prefix)
        }
        if part:
            break
    others = [name for name in part if re.match(OTHER_PARTS, name)]
    if others or not any(value.ndim > 2 and not re.match(CLASSIFIER, name)
                         for name, value in part.items()):
        raise ValueError(
            'the checkpoint has no backbone: use one whose weights begin '
            'with backbone., or that is only a backbone (it has '
            f'{len(weights)}, such as {next(iter(others or weights))})')
    return part


def write_weights(weights: Weights, path: Union[str, Path]) -> None:
    """Write weights to a file, completely or not at all.

    Args:
        weights (dict[str, Tensor]): Any weights.
        path (str or Path): File to write. ``.safetensors`` and ``.pkl``, a
            pickle of arrays for detectron2, set their formats; all other
            files are in PyTorch's format.
    """
    suffix = Path(path).suffix
    with atomic_write(path) as part:
        if suffix == '.safetensors':
            from safetensors.torch import save

            # save_file would make a file that only its owner can read. Tied
            # weights, which share memory, are refused.
            tensors = {
                k: v.clone(memory_format=torch.contiguous_format)
                for k, v in weights.items()
            }
            part.write_bytes(save(tensors))
        elif suffix == '.pkl':
            content = dict(
                model={
                    k:
                    v.float().numpy() if v.is_floating_point() else v.numpy()
                    for k, v in weights.items()
                },
                __author__='mmregioncl',
                matching_heuristics=True)
            part.write_bytes(pickle.dumps(content))
        else:
            torch.save(weights, part)


def from_openselfsup(weights: Weights) -> Weights:
    """Rename a checkpoint of OpenSelfSup as in mmselfsup.

    Args:
        weights (dict[str, Tensor]): Weights of OpenSelfSup's ``MOCO`` or of
            the official ``RegionCLM``.

    Returns:
        dict[str, Tensor]: Weights that ``MoCo`` and ``RegionCLMoCo`` load
        strictly.

    Raises:
        ValueError: If they are weights of another algorithm.
    """
    ours = {
        renamed(name, OPENSELFSUP): value
        for name, value in weights.items()
        if not name.startswith('backbone.')  # repeats encoder_q.0
    }
    check_queue(ours)
    # The average exists: the next step must not replace it with a copy.
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
    """Rename a checkpoint of mmselfsup as in OpenSelfSup.

    Args:
        weights (dict[str, Tensor]): Weights of mmselfsup's ``MoCo`` or of
            ``RegionCLMoCo``.

    Returns:
        dict[str, Tensor]: Weights that OpenSelfSup's ``MOCO`` and the official
        ``RegionCLM`` load.

    Raises:
        ValueError: If they are weights of another algorithm.
    """
    theirs = {}
    for name, value in weights.items():
        if name == 'encoder_k.steps':
            continue
        theirs[renamed(name, {b: a for a, b in OPENSELFSUP.items()})] = value
        if name.startswith('backbone.'):
            theirs[name] = value
    check_queue(theirs)
    return theirs


def renamed(name: str, prefixes: Dict[str, str]) -> str:
    """Replace the prefix of a name; a prefix without a dot is a whole name."""
    for before, after in prefixes.items():
        if name == before or before.endswith('.') and name.startswith(before):
            return after + name.removeprefix(before)
    raise ValueError(f'{name} is not a weight of MoCo or RegionCL-M: only '
                     'their checkpoints can be converted')


def check_queue(weights: Weights) -> None:
    if 'queue' not in weights:
        raise ValueError('the checkpoint has no queue, so it is not of MoCo '
                         'or RegionCL-M: only theirs can be converted')
