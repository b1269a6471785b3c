"""How other packages name the weights of a backbone of OpenMMLab."""
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Union

from torch import Tensor

Weights = Dict[str, Tensor]


class Rule(NamedTuple):
    """A regular expression of names, and its replacement.

    An empty name drops the weight. `change` is applied to the values.
    """
    pattern: str
    name: Union[str, Callable[[re.Match], str]]
    change: Callable[[Tensor], Tensor] = lambda value: value


Rules = Sequence[Rule]


class Family(NamedTuple):
    """Backbones of one kind, and the rules of each layout.

    Layouts without rules have no counterpart.
    """
    names: str  # regular expression of all names
    mmdet: Optional[Rules] = None
    mmseg: Optional[Rules] = None
    torchvision: Union[Rules, Callable[[Weights], Rules], None] = None
    timm: Union[Rules, Callable[[Weights], Rules], None] = None
    detectron2: Optional[Rules] = None


def numbered(form: str, factor: int = 1, plus: int = 0) -> Callable:
    """Replacement that multiplies the number in the first group and adds."""
    return lambda match: form.format(
        int(match[1]) * factor + plus,
        *match.groups()[1:])


# Three convolutions instead of one, each with a norm and an activation
DEEP_STEM = (
    Rule(r'^stem\.(\d)\.conv\b', numbered('stem.{}', 3)),
    Rule(r'^stem\.(\d)\.bn\b', numbered('stem.{}', 3, 1)),
)
TIMM_STEM = (
    Rule(r'^stem\.2\.bn\b', 'bn1'),
    Rule(r'^stem\.(\d)\.conv\b', numbered('conv1.{}', 3)),
    Rule(r'^stem\.(\d)\.bn\b', numbered('conv1.{}', 3, 1)),
)
# A pool that has no effect comes first in the other packages.
POOL_FIRST = (Rule(r'^layer1\.0\.downsample\.(\d)',
                   numbered('layer1.0.downsample.{}', 1, 1)), )

# res2 is the first stage of detectron2.
RESNET_DETECTRON2 = (
    Rule(r'^.*num_batches_tracked$', ''),
    Rule(r'^(?=conv1|bn1)', 'stem.'),
    Rule(r'^layer(\d)', numbered('res{}', 1, 1)),
    Rule(r'\bbn(\d)\.', r'conv\1.norm.'),
    Rule(r'\bdownsample\.0\.', 'shortcut.'),
    Rule(r'\bdownsample\.1\.', 'shortcut.norm.'),
)

REGNET_TIMM = (
    Rule(r'^conv1\b', 'stem.conv'),
    Rule(r'^bn1\b', 'stem.bn'),
    Rule(r'^layer(\d)\.(\d+)', lambda m: f's{m[1]}.b{int(m[2]) + 1}'),
    Rule(r'\.conv(\d)\.', r'.conv\1.conv.'),
    Rule(r'\.bn(\d)\.', r'.conv\1.bn.'),
    Rule(r'\bdownsample\.0', 'downsample.conv'),
    Rule(r'\bdownsample\.1', 'downsample.bn'),
)
REGNET_TORCHVISION = (
    Rule(r'^conv1\b', 'stem.0'),
    Rule(r'^bn1\b', 'stem.1'),
    Rule(r'^layer(\d)\.(\d+)', r'trunk_output.block\1.block\1-\2'),
    Rule(r'\.(conv|bn)(\d)\.',
         lambda m: f'.f.{" abc"[int(m[2])]}.{int(m[1] == "bn")}.'),
    Rule(r'\bdownsample\b', 'proj'),
)

# The first block of MobileNetV2 does not expand its input.
MOBILENET_V2_MMDET = (
    Rule(r'^(layer1\.0)\.conv\.0', r'\1.depthwise_conv'),
    Rule(r'^(layer1\.0)\.conv\.1', r'\1.linear_conv'),
    Rule(r'^(layer\d\.\d)\.conv\.0', r'\1.expand_conv'),
    Rule(r'^(layer\d\.\d)\.conv\.1', r'\1.depthwise_conv'),
    Rule(r'^(layer\d\.\d)\.conv\.2', r'\1.linear_conv'),
)
MOBILENET_V2_MMSEG = (Rule(r'^conv2\..*', ''), )  # it has no such layer
MOBILENET_V2_TIMM = (
    Rule(r'^conv1\.conv', 'conv_stem'),
    Rule(r'^conv1\.bn', 'bn1'),
    Rule(r'^conv2\.conv', 'conv_head'),
    Rule(r'^conv2\.bn', 'bn2'),
    Rule(r'^layer1\.0\.conv\.0\.conv', 'blocks.0.0.conv_dw'),
    Rule(r'^layer1\.0\.conv\.1\.conv', 'blocks.0.0.conv_pw'),
    Rule(r'^layer(\d)\.(\d)\.conv\.0\.conv',
         numbered('blocks.{}.{}.conv_pw', 1, -1)),
    Rule(r'^layer(\d)\.(\d)\.conv\.1\.conv',
         numbered('blocks.{}.{}.conv_dw', 1, -1)),
    Rule(r'^layer(\d)\.(\d)\.conv\.2\.conv',
         numbered('blocks.{}.{}.conv_pwl', 1, -1)),
    Rule(r'^layer(\d)\.(\d)\.conv\.(\d)\.bn',
         lambda m: f'blocks.{int(m[1]) - 1}.{m[2]}.bn{int(m[3]) + 1}'),
)


def mobilenet_v2_block(match: re.Match) -> str:
    """Name of a layer of MobileNetV2 in torchvision, which counts blocks."""
    stage, block, layer = map(int, match.groups()[:3])
    first = (1, 2, 4, 7, 11, 14, 17)[stage - 1]
    last = 1 if stage == 1 else 2
    norm = int(match[4] == 'bn')
    place = layer + norm if layer == last else f'{layer}.{norm}'
    return f'features.{first + block}.conv.{place}'


MOBILENET_V2_TORCHVISION = (
    Rule(r'^conv1\.conv', 'features.0.0'),
    Rule(r'^conv1\.bn', 'features.0.1'),
    Rule(r'^conv2\.conv', 'features.18.0'),
    Rule(r'^conv2\.bn', 'features.18.1'),
    Rule(r'^layer(\d)\.(\d)\.conv\.(\d)\.(conv|bn)', mobilenet_v2_block),
)


def mobilenet_v3_torchvision(weights: Weights) -> Rules:
    """Rules for blocks that lack some of their layers."""
    rules: List[Rule] = []
    for block in sorted({name.partition('.')[0] for name in weights}):
        there = [
            layer
            for layer in ('expand_conv', 'depthwise_conv', 'se', 'linear_conv')
            if any(name.startswith(f'{block}.{layer}.') for name in weights)
        ]
        rules += [
            Rule(rf'^{block}\.{layer}\.', f'{block}.block.{place}.')
            for place, layer in enumerate(there)
        ]
    return (
        *rules,
        Rule(r'^layer', 'features.'),
        Rule(r'\bconv(\d)\.conv\b', r'fc\1'),  # squeeze and excitation
        Rule(r'\bconv\b', '0'),
        Rule(r'\bbn\b', '1'),
    )


MOBILENET_V3_STAGES = {12: (1, 2, 3, 2, 3, 1), 16: (1, 2, 3, 4, 2, 3, 1)}
MOBILENET_V3_TIMM = (
    Rule(r'^layer0\.conv', 'conv_stem'),
    Rule(r'^layer0\.bn', 'bn1'),
    # The first block does not expand its input.
    Rule(r'^layer1\.depthwise_conv\.conv', 'layer1.conv_dw'),
    Rule(r'^layer1\.depthwise_conv\.bn', 'layer1.bn1'),
    Rule(r'^layer1\.linear_conv\.conv', 'layer1.conv_pw'),
    Rule(r'^layer1\.linear_conv\.bn', 'layer1.bn2'),
    Rule(r'\bexpand_conv\.conv', 'conv_pw'),
    Rule(r'\bexpand_conv\.bn', 'bn1'),
    Rule(r'\bdepthwise_conv\.conv', 'conv_dw'),
    Rule(r'\bdepthwise_conv\.bn', 'bn2'),
    Rule(r'\blinear_conv\.conv', 'conv_pwl'),
    Rule(r'\blinear_conv\.bn', 'bn3'),
    Rule(r'\bse\.conv1\.conv', 'se.conv_reduce'),
    Rule(r'\bse\.conv2\.conv', 'se.conv_expand'),
    Rule(r'^(layer1[26])\.bn', r'\1.bn1'),
)


def mobilenet_v3_timm(weights: Weights) -> Rules:
    """Rules with the stage of each layer, as timm counts."""
    last = max(int(name[len('layer'):].partition('.')[0]) for name in weights)
    places = [(stage, block)
              for stage, blocks in enumerate(MOBILENET_V3_STAGES[last])
              for block in range(blocks)]
    return (
        *MOBILENET_V3_TIMM,
        *(Rule(rf'^layer{layer}\.', f'blocks.{stage}.{block}.')
          for layer, (stage, block) in enumerate(places, 1)),
    )


CONVNEXT_TIMM = (
    Rule(r'^downsample_layers\.0', 'stem'),
    Rule(r'^downsample_layers\.(\d)', r'stages.\1.downsample'),
    Rule(r'^stages\.(\d)\.(\d+)\.', r'stages.\1.blocks.\2.'),
    Rule(r'\bdepthwise_conv\b', 'conv_dw'),
    Rule(r'\bpointwise_conv', 'mlp.fc'),
    Rule(r'^norm3', 'head.norm'),
)
CONVNEXT_TORCHVISION = (
    Rule(r'^downsample_layers\.(\d)', numbered('features.{}', 2)),
    Rule(r'^stages\.(\d)', numbered('features.{}', 2, 1)),
    Rule(r'\bgamma$', 'layer_scale', lambda gamma: gamma[:, None, None]),
    Rule(r'\bdepthwise_conv\b', 'block.0'),
    Rule(r'^(features\.\d\.\d+)\.norm\b', r'\1.block.2'),
    Rule(r'\bpointwise_conv1\b', 'block.3'),
    Rule(r'\bpointwise_conv2\b', 'block.5'),
    Rule(r'^norm3', 'classifier.0'),
)


def merge_by_patch(value: Tensor) -> Tensor:
    """Order of the four patches that Swin merges.

    OpenMMLab unfolds them, so that those of a channel lie side by side; the
    others join four maps, column by column.
    """
    patches = value.unflatten(-1, (-1, 2, 2))  # (..., C, row, column)
    return patches.transpose(-1, -3).flatten(-3)


MERGE = Rule(r'\bdownsample\.(?=norm|reduction)', 'downsample.',
             merge_by_patch)
SWIN_TIMM = (
    MERGE,
    Rule(r'^.*relative_position_index$', ''),
    Rule(r'^patch_embed\.projection', 'patch_embed.proj'),
    Rule(r'^stages\.(\d)\.downsample', numbered('layers.{}.downsample', 1, 1)),
    Rule(r'^stages', 'layers'),
    Rule(r'\bw_msa\.', ''),
    Rule(r'\bffn\.layers\.0\.0', 'mlp.fc1'),
    Rule(r'\bffn\.layers\.1', 'mlp.fc2'),
    Rule(r'^norm3', 'norm'),
)
SWIN_TORCHVISION = (
    MERGE,
    Rule(r'\brelative_position_index$', 'relative_position_index',
         lambda index: index.flatten()),
    Rule(r'^patch_embed\.projection', 'features.0.0'),
    Rule(r'^patch_embed\.norm', 'features.0.2'),
    Rule(r'^stages\.(\d)\.downsample', numbered('features.{}', 2, 2)),
    Rule(r'^stages\.(\d)\.blocks', numbered('features.{}', 2, 1)),
    Rule(r'\bw_msa\.', ''),
    Rule(r'\bffn\.layers\.0\.0', 'mlp.0'),
    Rule(r'\bffn\.layers\.1', 'mlp.3'),
    Rule(r'^norm3', 'norm'),
)

VIT_MMSEG = (
    Rule(r'\battn\.qkv\.', 'attn.attn.in_proj_'),
    Rule(r'\battn\.proj\b', 'attn.attn.out_proj'),
)
VIT_TIMM = (
    Rule(r'^ln1', 'norm'),
    Rule(r'^patch_embed\.projection', 'patch_embed.proj'),
    Rule(r'^layers', 'blocks'),
    Rule(r'\bln(\d)\b', r'norm\1'),
    Rule(r'\bffn\.layers\.0\.0', 'mlp.fc1'),
    Rule(r'\bffn\.layers\.1', 'mlp.fc2'),
)
VIT_TORCHVISION = (
    Rule(r'^cls_token', 'class_token'),
    Rule(r'^pos_embed', 'encoder.pos_embedding'),
    Rule(r'^patch_embed\.projection', 'conv_proj'),
    Rule(r'^ln1', 'encoder.ln'),
    Rule(r'^layers\.(\d+)', r'encoder.layers.encoder_layer_\1'),
    Rule(r'\bln(\d)\b', r'ln_\1'),
    Rule(r'\battn\.qkv\.', 'self_attention.in_proj_'),
    Rule(r'\battn\.proj\b', 'self_attention.out_proj'),
    Rule(r'\bffn\.layers\.0\.0', 'mlp.0'),
    Rule(r'\bffn\.layers\.1', 'mlp.3'),
)

# Networks of timm keep its names below a prefix, flat if they return features.
TIMM_BACKBONE = (
    Rule(r'^timm_model\.(model\.)?', ''),
    Rule(r'^(stem|stages|layers)_(\d)', r'\1.\2'),
)

VALUES = r'\.(weight|bias|running_mean|running_var|num_batches_tracked)'
STAGES = (r'layer[1-4]\.\d+\.(conv[123]|bn[123]|downsample\.[01])' + VALUES)
STEM = r'(conv1|bn1)' + VALUES
LINEAR = r'\.(weight|bias)'
VIT = (rf'cls_token|pos_embed|(patch_embed\.projection|ln1|layers\.\d+\.'
       rf'(ln[12]|attn\.(qkv|proj)|ffn\.layers\.(0\.0|1))){LINEAR}')

# The first whose pattern matches all names of a backbone
FAMILIES = dict(
    timm=Family(r'timm_model\..+', mmseg=(), timm=TIMM_BACKBONE),
    regnet=Family(
        f'{STEM}|{STAGES}',
        mmdet=(),
        torchvision=REGNET_TORCHVISION,
        timm=REGNET_TIMM),
    resnet=Family(
        f'{STEM}|{STAGES}',
        mmdet=(),
        mmseg=(),
        torchvision=(),
        timm=(),
        detectron2=RESNET_DETECTRON2),
    resnet_v1c=Family(
        rf'stem\.\d\.(conv|bn){VALUES}|{STAGES}',
        mmdet=DEEP_STEM,
        mmseg=DEEP_STEM,
        timm=TIMM_STEM),
    resnet_v1d=Family(
        rf'stem\.\d\.(conv|bn){VALUES}|{STAGES}|'
        rf'layer[2-4]\.0\.downsample\.2{VALUES}',
        mmdet=DEEP_STEM + POOL_FIRST,
        mmseg=DEEP_STEM + POOL_FIRST,
        timm=TIMM_STEM + POOL_FIRST),
    mobilenet_v2=Family(
        rf'(layer\d\.\d\.conv\.\d|conv[12])\.(conv|bn){VALUES}',
        mmdet=MOBILENET_V2_MMDET,
        mmseg=MOBILENET_V2_MMSEG,
        torchvision=MOBILENET_V2_TORCHVISION,
        timm=MOBILENET_V2_TIMM),
    mobilenet_v3=Family(
        rf'layer\d+\.((expand_conv|depthwise_conv|linear_conv)\.)?(conv|bn)'
        rf'{VALUES}|layer\d+\.se\.conv[12]\.conv{LINEAR}',
        mmseg=(),
        torchvision=mobilenet_v3_torchvision,
        timm=mobilenet_v3_timm),
    convnext=Family(
        rf'(downsample_layers\.\d\.[01]|norm3){LINEAR}|stages\.\d\.\d+\.'
        rf'(gamma|(depthwise_conv|norm|pointwise_conv[12]){LINEAR})',
        torchvision=CONVNEXT_TORCHVISION,
        timm=CONVNEXT_TIMM),
    swin=Family(
        rf'(patch_embed\.(projection|norm)|norm3){LINEAR}|stages\.\d\.'
        rf'(downsample\.(norm|reduction){LINEAR}|blocks\.\d+\.'
        rf'((norm[12]|attn\.w_msa\.(qkv|proj)|ffn\.layers\.(0\.0|1)){LINEAR}|'
        r'attn\.w_msa\.relative_position_(bias_table|index)))',
        mmdet=(),
        mmseg=(),
        torchvision=SWIN_TORCHVISION,
        timm=SWIN_TIMM),
    vit=Family(
        VIT, mmseg=VIT_MMSEG, torchvision=VIT_TORCHVISION, timm=VIT_TIMM),
    deit_distilled=Family(rf'dist_token|{VIT}', timm=VIT_TIMM),
)

# The same backbones of OpenMMLab under other names
SPELLINGS = ((), DEEP_STEM, DEEP_STEM + POOL_FIRST, MOBILENET_V2_MMDET,
             MOBILENET_V2_MMSEG, VIT_MMSEG)
