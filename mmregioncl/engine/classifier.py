import hashlib
import json
import re
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Dict

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope, init_default_scope

from mmregioncl import host
from mmregioncl.datasets.nested import typed_dicts
from mmregioncl.datasets.transforms import is_loading
from mmregioncl.evaluation.data import (describe_dataset, loading_step,
                                        view_size)
from mmregioncl.evaluation.model import model_config
from mmregioncl.evaluation.run import EvaluationRun
from mmregioncl.models.classifiers import FeatureClassifier
from mmregioncl.models.parents import class_of
from mmregioncl.models.utils import image_features
from mmregioncl.models.utils.outputs import split_outputs
from .config import check_data, set_pretrained
from .messages.quiet import QuietRunner
from .signals import handlers_restored
from .storage import find_checkpoint
from .work_dir import claim_work_dir

LOADERS = dict(train='train_dataloader', test='val_dataloader')


def train_classifier(run: EvaluationRun, cfg: Config) -> bool:
    """Train a classifier with a config, unless the run has its results.

    It trains in this process. Gradients are accumulated over as many batches
    as the config has processes.

    Args:
        run (EvaluationRun): Provides backbone and normalization.
        cfg (Config): A config of ``configs/benchmarks/classification``, read
            by :func:`load_config`.

    Returns:
        bool: Whether the run has its results now.
    """
    return run.add(
        Path(cfg.filename).stem,
        partial(fit_classifier, cfg=cfg),
        partial(describe_datasets, cfg),
        config=str(cfg.filename),
        digest=digest_of(cfg.pretty_text))


def describe_datasets(cfg: Config) -> Dict[str, dict]:
    """Results of :func:`describe_dataset` for a classifier, by split."""
    check_data(cfg, *LOADERS.values())
    with DefaultScope.overwrite_default_scope(host.scope_of(cfg)):
        return {
            split: describe_dataset(DATASETS.build(cfg[loader].dataset))
            for split, loader in LOADERS.items()
        }


def digest_of(*content) -> str:
    """Short hash of what makes a result."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]


def fit_classifier(run: EvaluationRun, cfg: Config, config: str,
                   digest: str) -> dict:
    """Train a classifier in a folder of this run, config and images.

    Args:
        run (EvaluationRun): Provides backbone and normalization.
        cfg (Config): The config. It is changed.
        config (str): Its file.
        digest (str): Short hash of its content.

    Returns:
        dict: As of any protocol.
    """
    name = Path(config).stem
    set_pretrained(cfg, run.checkpoint or 'none')
    adopt_backbone(cfg, run)
    processes = int((re.findall(r'(\d+)xb', name) or [1])[0])
    cfg.optim_wrapper.accumulative_counts = processes
    digest = digest_of(digest, run.identity, run.data)
    cfg.work_dir = str(run.out / f'{name}-{digest}')
    cfg.experiment_name = cfg.work_dir.replace('/', '-')
    cfg.randomness = dict(seed=run.seed)
    with claim_work_dir(cfg.work_dir) or nullcontext(), handlers_restored():
        last = find_checkpoint(cfg.work_dir)
        if last:
            cfg.update(resume=True, load_from=last)
        try:
            runner = QuietRunner.from_cfg(cfg)
            runner.train()
            scores = runner.message_hub.get_scalar('val/accuracy/top1').data[0]
            scores = scores.tolist()
            if len(scores) < runner.max_epochs:  # killed before the last one
                scores.append(runner.val()['accuracy/top1'])
        finally:  # the runner has set the scope of the classifier
            init_default_scope(host.scope_of(run.cfg))
    batch = processes * cfg.train_dataloader.batch_size
    return dict(
        numbers={
            'top-1, last epoch': scores[-1] / 100,
            'top-1, best epoch': max(scores) / 100
        },
        how=f'{runner.max_epochs} epochs of batches of {batch}, with '
        'augmentation; the best epoch is chosen on the test set')


def adopt_backbone(cfg: Config, run: EvaluationRun) -> None:
    """Copy backbone, loading and normalization of a run to a classifier.

    Only the stages that the recipe freezes are frozen.

    Raises:
        ValueError: If the recipe does not accept the output of the backbone.
    """
    cfg.model.backbone = backbone_config(run, cfg.model.backbone)
    preprocessor = model_config(run.cfg)['data_preprocessor']
    cfg.data_preprocessor.update(
        mean=preprocessor['mean'], std=preprocessor['std'])
    loading = loading_step(run.cfg)
    given = {
        k: loading[k]
        for k in ('channels', 'value_range') if k in loading
    }
    if given:
        for step in filter(is_loading, typed_dicts(cfg._cfg_dict)):
            step.update(given, type='mmregioncl.LoadImage')
    channels = loading.get('channels', 3)
    if channels != 3:
        cfg.data_preprocessor['to_rgb'] = False
    weight = next(run.model.backbone.parameters())
    size = input_size(cfg, run.cfg)
    with torch.no_grad():
        outputs = run.model.backbone(weight.new_zeros(1, channels, size, size))
    last, token = split_outputs(outputs)
    kind = class_of({'_scope_': host.scope_of(cfg), **cfg.model})
    if not issubclass(kind or object, FeatureClassifier) and \
            (last.ndim != 4 or token is not None):
        raise ValueError(
            'the recipe averages feature maps, but '
            f'{type(run.model.backbone).__name__} does not return just one: '
            "set model.type='mmregioncl.FeatureClassifier' and "
            'model.neck=None')
    cfg.model.head.in_channels = image_features(outputs).shape[1]


def backbone_config(run: EvaluationRun, recipe: dict) -> dict:
    """Return the backbone of a run for one process, frozen as in a recipe."""
    model = model_config(run.cfg)
    backbone = dict(getattr(run.model, 'backbone_cfg', model['backbone']))
    for name in ('frozen_stages', 'stop_grad_conv1'):  # of pre-training
        backbone.pop(name, None)
    if 'frozen_stages' in recipe:
        backbone['frozen_stages'] = recipe['frozen_stages']
    backbone['type'] = name = model['backbone']['type']
    if '.' not in name:  # the classifier may have another scope
        backbone['type'] = f'{host.scope_of(run.cfg)}.{name}'
    norm = backbone.get('norm_cfg') or {}
    if norm.get('type') in ('SyncBN', 'MMSyncBN'):  # maybe on a CPU
        backbone['norm_cfg'] = dict(norm, type='BN')
    return backbone


def input_size(*cfgs: Config) -> int:
    """Return a size in pixels of images that a backbone accepts.

    This is the size of the first random crop in the configs, or 64 without
    one, since such backbones accept any size.
    """
    for cfg in cfgs:
        with suppress(ValueError):
            return view_size(cfg)
    return 64
