"""Train a model: ``python tools/train.py CONFIG``."""
import argparse
import signal
import sys
from pathlib import Path

from arguments import parse_run


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Pre-train or fine-tune a model')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: work_dirs/CONFIG, '
        'followed by the name of the checkpoint that is fine-tuned)')
    parser.add_argument(
        '--pretrained',
        metavar='CHECKPOINT',
        help='fine-tune the backbone of this checkpoint, with a config of '
        "configs/benchmarks; 'none' for random weights")
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from CHECKPOINT, by default the last one in the work '
        'dir; jobs that torchrun or Slurm restart do so automatically')
    parser.add_argument(
        '--amp',
        action='store_true',
        help='mixed precision: float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate from the batch of '
        'auto_scale_lr.base_batch_size to that of this run')
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='make three steps and print shapes, memory and time, without '
        'writing anything')
    return parse_run(parser)


def stop_early(number: int, frame) -> None:
    """Handle a signal before training begins: nothing is lost."""
    # 75 as mmregioncl.TimedCheckpointHook
    sys.exit('interrupted' if number == signal.SIGINT else 75)


def main() -> None:
    args = parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop_early)
    # PyTorch takes seconds to import. --help does not need it.
    from mmengine.device import get_device

    from mmregioncl.dry_run import dry_run
    from mmregioncl.engine.config import (check_amp, check_backends,
                                          check_data, checkpoint_name,
                                          enable_scaled_lr, load_config,
                                          set_amp, set_pretrained)
    from mmregioncl.engine.launch import (check_launcher, checkpoint_to_resume,
                                          is_main_process, note_start,
                                          restarted)
    from mmregioncl.engine.malloc import keep_freed_memory
    from mmregioncl.engine.messages import start_tool
    from mmregioncl.engine.messages.failures import explain_failures
    from mmregioncl.engine.messages.quiet import QuietRunner
    from mmregioncl.engine.messages.summary import next_commands
    from mmregioncl.engine.work_dir import claim_work_dir
    from mmregioncl.files import check_exists
    from mmregioncl.hooks import RunSummaryHook

    start_tool()
    cfg = load_config(args.config, args.cfg_options)
    check_backends(cfg)
    if args.launcher != 'none':
        cfg.launcher = args.launcher
    launcher = cfg.get('launcher', 'none')
    check_launcher(launcher)
    if args.auto_scale_lr:
        enable_scaled_lr(cfg)
    work_dir = Path('work_dirs') / Path(args.config).stem
    if args.pretrained:
        set_pretrained(cfg, args.pretrained)
        work_dir = work_dir / checkpoint_name(args.pretrained)
    cfg.work_dir = args.work_dir or cfg.get('work_dir') or str(work_dir)
    check_data(cfg, 'train_dataloader', 'val_dataloader')
    if args.amp:
        set_amp(cfg, get_device())
    check_amp(cfg, get_device())
    lock = None
    if is_main_process(launcher) and not args.dry_run:
        lock = claim_work_dir(cfg.work_dir)
        if not restarted():
            note_start(cfg.work_dir, resumes=args.resume == 'auto')
    if cfg.get('resume') and not args.resume:  # as with --resume
        args.resume = cfg.get('load_from') or 'auto'
    checkpoint = checkpoint_to_resume(cfg.work_dir, args.resume)
    if checkpoint:
        cfg.update(resume=True, load_from=checkpoint)
    elif args.resume or restarted():
        print(f'no checkpoint in {cfg.work_dir} yet: starting a new run')
    if cfg.get('load_from'):
        check_exists(cfg.load_from)

    if get_device() == 'cpu':
        keep_freed_memory()
    if args.dry_run:
        for line in explain_failures(lambda: [*dry_run(cfg)]):
            print(line)
        return

    def train() -> QuietRunner:
        runner = QuietRunner.from_cfg(cfg)
        runner.register_hook(RunSummaryHook())
        runner.train()
        return runner

    runner = explain_failures(train)
    if lock:
        lock.close()
    if is_main_process(launcher):
        config = args.config
        if args.cfg_options:  # the copy in the work dir has them
            config = str(Path(cfg.work_dir) / Path(config).name)
        print(next_commands(runner, config, Path(sys.argv[0]).parent))


if __name__ == '__main__':
    main()
