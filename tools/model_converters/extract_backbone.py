"""Extract the backbone of a checkpoint: ``extract_backbone.py IN OUT``."""
import argparse

from mmregioncl.engine.messages.failures import hide_tracebacks
from mmregioncl.transfer import (LAYOUTS, backbone_weights, read_weights,
                                 to_layout, write_weights)


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Extract the backbone of a pre-training checkpoint')
    parser.add_argument(
        'checkpoint', help='checkpoint of OpenMMLab or OpenSelfSup')
    parser.add_argument(
        'out', help='file to write: .pth, .safetensors, or .pkl (detectron2)')
    parser.add_argument(
        '--layout',
        choices=LAYOUTS,
        help='names of the weights (default: detectron2 for .pkl, otherwise '
        'openmmlab, which torchvision and timm share for ResNets)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    hide_tracebacks()
    layout = args.layout or ('detectron2'
                             if args.out.endswith('.pkl') else 'openmmlab')
    weights = to_layout(
        backbone_weights(read_weights(args.checkpoint)), layout)
    write_weights(weights, args.out)
    # As fine-tuning counts them: without the counters of batch norm
    count = sum(not name.endswith('num_batches_tracked') for name in weights)
    print(f'{args.out}: {count} weights, named as in {layout}')


if __name__ == '__main__':
    main()
