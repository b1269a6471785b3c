_base_ = [
    'mmseg::_base_/models/upernet_vit-b16_ln_mln.py',
    '../_base_/datasets/cityscapes.py',
    'mmseg::_base_/default_runtime.py',
    '../_base_/schedules/adamw_40k.py',
]

# ViT-S/16 of MoCo v3. Its position embedding, for 14x14 patches, is resized to
# the image in each step.
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(512, 1024)),
    backbone=dict(
        img_size=(224, 224),
        embed_dims=384,
        patch_bias=True,
        final_norm=True,
        drop_path_rate=0.1),
    neck=dict(in_channels=[384] * 4, out_channels=384),
    decode_head=dict(in_channels=[384] * 4),
    auxiliary_head=dict(in_channels=384))
