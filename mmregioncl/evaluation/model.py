"""The model of a config, with its weights."""
import copy
import logging
from contextlib import contextmanager
from typing import Iterator, Optional

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import MMLogger
from mmengine.model import BaseModel
from mmengine.registry import MODELS, init_default_scope

from mmregioncl import host
from mmregioncl.files import check_exists
from mmregioncl.transfer import load_backbone, read_weights


def model_config(cfg: Config) -> dict:
    """Config of the model with its data preprocessor, as in a Runner.

    Configs of MMPretrain have the data preprocessor next to the model.
    """
    model = copy.deepcopy(cfg.model)
    if 'data_preprocessor' in cfg:
        model.setdefault('data_preprocessor',
                         copy.deepcopy(cfg.data_preprocessor))
    return model


def build_model(cfg: Config) -> BaseModel:
    """Build the model of a config, in the default scope of the config."""
    init_default_scope(host.scope_of(cfg))
    return MODELS.build(model_config(cfg))


def load_model(cfg: Config, checkpoint: Optional[str] = None) -> BaseModel:
    """Build the model of a config and load its backbone.

    Args:
        cfg (Config): A pre-training config.
        checkpoint (str, optional): Checkpoint with all weights of the
            backbone; other weights are ignored. Defaults to None, random
            weights.

    Returns:
        BaseModel: The model, in eval mode, on the default device.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If a weight of the backbone is missing, unexpected or of
            another shape.
    """
    if checkpoint is not None:
        check_exists(checkpoint, optional=True)
    model = build_model(cfg)
    if checkpoint is None:
        with quiet():  # it logs each weight
            model.init_weights()
    else:
        load_backbone(model, read_weights(checkpoint))
    return model.to(get_device()).eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Log nothing below warnings."""
    logger = MMLogger.get_current_instance()
    levels = [(handler, handler.level) for handler in logger.handlers]
    for handler, _ in levels:
        handler.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for handler, level in levels:
            handler.setLevel(level)
