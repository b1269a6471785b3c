from mmengine.hooks import EarlyStoppingHook as _EarlyStoppingHook

from mmregioncl.engine.metrics import GREATER, LESS
from mmregioncl.registry import HOOKS


@HOOKS.register_module()
class EarlyStoppingHook(_EarlyStoppingHook):
    """``EarlyStoppingHook`` that keeps its state when a run is resumed.

    Best score and patience are saved in checkpoints.

    Args:
        monitor (str): Name of a metric, such as 'knn/k20_T0.1'.
        min_delta (float): Change that counts as an improvement. Defaults to
            0.001, since accuracies are shares; MMEngine's default of 0.1 is
            ten points.
        **kwargs: Further arguments of MMEngine's ``EarlyStoppingHook``.
    """
    _default_greater_keys = [
        *_EarlyStoppingHook._default_greater_keys, *GREATER
    ]
    _default_less_keys = [*_EarlyStoppingHook._default_less_keys, *LESS]

    def __init__(self,
                 monitor: str,
                 min_delta: float = 0.001,
                 **kwargs) -> None:
        super().__init__(monitor, min_delta=min_delta, **kwargs)
        self.name = f'early_stopping/{monitor}'

    def before_train(self, runner) -> None:
        """Restore best score and patience from the checkpoint."""
        state = runner.message_hub.get_info(self.name)
        if state is not None:
            self.best_score, self.wait_count = state
            if self.wait_count >= self.patience:  # stopped before
                runner.train_loop.stop_training = True

    def after_val_epoch(self, runner, metrics: dict) -> None:
        """Stop training if there was no improvement for too long."""
        super().after_val_epoch(runner, metrics)
        runner.message_hub.update_info(self.name,
                                       [self.best_score, self.wait_count])
