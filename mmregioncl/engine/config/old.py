"""Reject configs of earlier versions of the host and of this package."""
from mmengine.config import Config

# Settings of MMSelfSup 0.x and its contemporaries, and what replaces them
OLD_SETTINGS = dict(
    data='train_dataloader and eval_datasets (in fine-tuning: val_dataloader '
    'and test_dataloader)',
    optimizer='optim_wrapper.optimizer',
    optimizer_config='optim_wrapper',
    fp16='optim_wrapper.type',
    lr_config='param_scheduler',
    momentum_config='param_scheduler',
    runner='train_cfg',
    total_epochs='train_cfg.max_epochs',
    total_iters='train_cfg.max_iters',
    workflow='train_cfg.val_interval',
    evaluation='default_hooks.knn (in fine-tuning: val_cfg and '
    'val_evaluator)',
    checkpoint_config='default_hooks.checkpoint',
    log_config='default_hooks.logger and visualizer',
    resume_from='load_from and resume',
    seed='randomness.seed',
    deterministic='randomness.deterministic',
    persistent_workers='train_dataloader.persistent_workers',
    preprocess_cfg='data_preprocessor',
    dist_params='env_cfg.dist_cfg',
    cudnn_benchmark='env_cfg.cudnn_benchmark',
    opencv_num_threads='env_cfg.mp_cfg',
    mp_start_method='env_cfg.mp_cfg')

# Of these, names that current configs use only for variables
LEFT_OVER = ('optimizer', 'optimizer_config', 'lr_config', 'momentum_config',
             'runner', 'total_epochs', 'total_iters', 'checkpoint_config')


def check_old(cfg: Config) -> None:
    """Reject a config of MMSelfSup 0.x, or of version 0.1 of this package.

    MMEngine would ignore the old settings.

    Raises:
        ValueError: If it is one.
    """
    given = OLD_SETTINGS.keys() & cfg.keys()
    # A single one of these names may be a variable, or a setting of own code.
    if 'train_dataloader' not in cfg and 'data' in given and len(given) > 1:
        names = '; '.join(f'{name} to {new}'
                          for name, new in OLD_SETTINGS.items()
                          if cfg.get(name) is not None)
        raise ValueError(
            f'{cfg.filename} is a config of MMSelfSup 0.x, MMClassification '
            f'0.x or MMDetection 2.x: translate {names}')
    if 'fast_transforms' in cfg:
        raise ValueError(
            f'{cfg.filename} sets fast_transforms, which was removed: delete '
            "it, and add custom_imports = dict(imports=['mmregioncl."
            "fast_transforms']) to a config of mmselfsup")
