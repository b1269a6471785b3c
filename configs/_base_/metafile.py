# What file names do not say. setup.py puts it into the metafile.yml of each
# folder, which mim searches.
techniques = ['SGD with Momentum', 'Weight Decay']
collections = dict(
    regioncl={
        'Name': 'RegionCL',
        'Metadata': {
            'Training Techniques':
            techniques,
            'Architecture': [
                'ResNet', 'ViT', 'MoCo v2', 'DenseCL', 'SimSiam', 'BYOL',
                'MoCo v3', 'SimCLR'
            ]
        },
        'Paper': {
            'URL':
            'https://arxiv.org/abs/2111.12309',
            'Title':
            'RegionCL: Exploring Contrastive Region Pairs for Self-supervised '
            'Representation Learning'
        }
    },
    contrastivecrop={
        'Name': 'ContrastiveCrop',
        'Metadata': {
            'Training Techniques':
            techniques,
            'Architecture':
            ['ResNet', 'SimCLR', 'MoCo', 'BYOL', 'SimSiam', 'RegionCL']
        },
        'Paper': {
            'URL':
            'https://arxiv.org/abs/2202.03278',
            'Title':
            'Crafting Better Contrastive Views for Siamese Representation '
            'Learning'
        }
    })

# By the last part of a name; 'contrastivecrop/stl10' is for one folder.
training_data = {
    'in1k': 'ImageNet-1k',
    'in200': 'ImageNet-200',
    'in100': 'ImageNet-100',
    'tiny-imagenet': 'Tiny-ImageNet',
    'stl10': 'STL-10, train and unlabeled',
    'contrastivecrop/stl10': 'STL-10',
    'cifar10': 'CIFAR-10',
    'cifar100': 'CIFAR-100',
    'cifar10-10k': '10,000 images of CIFAR-10',
    'cifar10-device-views': 'CIFAR-10',
    'coco': 'COCO train2017, images alone',
    'coco-small-camvid': '566 images of COCO and CamVid',
    'digits': 'handwritten digits of scikit-learn',
    'folder': 'any folder of images'
}
