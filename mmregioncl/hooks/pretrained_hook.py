import re
from typing import Optional, Sequence

from mmengine.hooks import Hook

from mmregioncl.engine.storage import loaded_from
from mmregioncl.models.utils.modules import get_module, unwrap
from mmregioncl.registry import HOOKS
from mmregioncl.transfer import load_backbone, read_weights
from mmregioncl.validation import listed


@HOOKS.register_module()
class PretrainedHook(Hook):
    """Start fine-tuning from a complete pre-trained backbone.

    MMEngine's ``Pretrained`` loads the weights whose names match and silently
    leaves the others random. This hook raises an error with their names. A
    resumed run keeps its own weights and does not need the checkpoint.

    Args:
        checkpoint (str, optional): Checkpoint of a pre-training run of
            OpenMMLab or OpenSelfSup, or of only a backbone, ``.pth`` or
            ``.safetensors``; 'none' for random weights. Defaults to None,
            which is refused.
        parts (Sequence[str]): Modules that together make up the backbone.
            Defaults to ('backbone', ).
        new (str): Regular expression for weights that are not pre-trained.
            Defaults to one that never matches.

    Attributes:
        loaded (str or None): Which weights were loaded from the checkpoint.

    Raises:
        ValueError: If new is not a regular expression.
    """
    priority = 'HIGH'  # before anything that reads the weights

    def __init__(self,
                 checkpoint: Optional[str] = None,
                 parts: Sequence[str] = ('backbone', ),
                 new: str = r'(?!)') -> None:
        try:
            re.compile(new)
        except (re.error, TypeError) as error:
            raise ValueError(f'new={new!r} of {type(self).__name__} is not a '
                             f'regular expression ({error}): correct it, or '
                             'leave it out') from None
        self.checkpoint = checkpoint
        self.parts = listed(parts)
        self.new = new
        self.loaded: Optional[str] = None

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        """Save the name of the pre-trained checkpoint."""
        checkpoint['pretrained'] = self.checkpoint

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        """Refuse to resume a run that was fine-tuned from elsewhere.

        If no checkpoint is set, it is that of the resumed run.

        Raises:
            ValueError: If the pre-trained checkpoint was another one.
        """
        if not runner._resume:
            return
        began = checkpoint.get('pretrained', self.checkpoint)
        self.checkpoint = self.checkpoint or began
        if began != self.checkpoint:
            raise ValueError(
                f'{loaded_from(runner)} was fine-tuned from {began}, not from '
                f'{self.checkpoint}: use another folder')

    def before_train(self, runner) -> None:
        """Load the backbone.

        Raises:
            ValueError: If no checkpoint is set, or it does not fit.
        """
        if runner._resume and runner._has_loaded:
            return
        if self.checkpoint is None:
            raise ValueError('no pre-trained checkpoint is set: pass it as '
                             '--pretrained CHECKPOINT, or start from random '
                             'weights with --pretrained none')
        model = unwrap(runner.model)
        parts = [get_module(model, part) for part in self.parts]
        parameters = [p for part in parts for p in part.parameters()]
        frozen = sum(not p.requires_grad for p in parameters)
        count = 0
        if self.checkpoint != 'none':
            weights = read_weights(self.checkpoint)
            count = load_backbone(model, weights, self.parts, self.new)
        self.loaded = (
            f'backbone: {count} weights loaded from {self.checkpoint}; '
            f'{frozen} of {len(parameters)} parameters are frozen')
        runner.logger.info(self.loaded)
