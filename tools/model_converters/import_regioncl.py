"""Convert checkpoints of the official RegionCL code, and back."""
import argparse


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Convert a checkpoint of the official RegionCL-M or of '
        "OpenSelfSup's MoCo to one that RegionCLMoCo and MoCo load strictly")
    parser.add_argument('checkpoint', help='file to convert')
    parser.add_argument('out', help='file to write: .pth or .safetensors')
    parser.add_argument(
        '--back', action='store_true', help='convert in the other direction')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # PyTorch takes seconds to import. --help does not need it.
    from mmregioncl.engine.messages.failures import hide_tracebacks
    from mmregioncl.transfer import (from_openselfsup, read_weights,
                                     to_openselfsup, write_weights)

    hide_tracebacks()
    convert = to_openselfsup if args.back else from_openselfsup
    weights = convert(read_weights(args.checkpoint))
    write_weights(weights, args.out)
    print(f'{args.out}: {len(weights)} weights')


if __name__ == '__main__':
    main()
