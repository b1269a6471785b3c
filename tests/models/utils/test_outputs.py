from types import SimpleNamespace

import pytest
import torch

from mmregioncl.models.utils import (class_token, feature_map, grid_of,
                                     image_features, split_tokens)


def test_map_and_class_token_of_any_backbone():
    tokens = torch.rand(2, 17, 8)
    token, patches = tokens[:, 0], tokens[:, 1:]
    maps = patches.transpose(1, 2).reshape(2, 8, 4, 4)
    stages = (torch.rand(2, 4, 8, 8), maps)
    for outputs in (tokens, [tokens], [[maps, token]], [(patches, token)]):
        assert torch.equal(feature_map(outputs), maps)
        assert torch.equal(class_token(outputs), token)
        assert torch.equal(image_features(outputs), token)
    for outputs in (maps, stages, [maps], patches):
        assert torch.equal(feature_map(outputs), maps)
        assert class_token(outputs) is None
        assert torch.equal(image_features(outputs), maps.mean((2, 3)))
    for outputs in ([token], [(token, token + 1)], [[maps, token, token + 1]]):
        assert torch.equal(image_features(outputs), token)


@pytest.mark.parametrize('extra', [0, 1])
def test_grid_of_tokens_has_the_proportions_of_the_image(extra):
    tokens = torch.rand(2, 8 + extra, 3)  # of 9 tokens, 3x3 would be a grid
    assert grid_of(tokens, (32, 64)) == (2, 4)
    assert grid_of([tokens], (64, 32)) == (4, 2)
    maps = feature_map(tokens, (32, 64))
    assert torch.equal(maps.flatten(2).transpose(1, 2), tokens[:, extra:])
    token = class_token(tokens, (32, 64))
    assert (token is None) == (not extra)


def test_outputs_that_are_no_maps_are_refused():
    for outputs in (None, [], [[torch.rand(2, 8), torch.rand(2, 9, 8)]]):
        with pytest.raises(ValueError, match='does not return feature m'):
            feature_map(outputs)


def test_outputs_without_rows_and_columns_are_refused():
    for shape in [(2, 8), (2, 15, 8)]:
        with pytest.raises(
                ValueError, match='use another backbone, or settings'):
            feature_map([torch.rand(shape)])


@pytest.mark.parametrize(
    'network, extra, has_class_token',
    [
        (dict(num_extra_tokens=2, cls_token=1), 2, True),  # DeiT of the hosts
        (dict(num_prefix_tokens=5, cls_token=1), 5, True),  # registers of timm
        (dict(num_prefix_tokens=4, cls_token=None), 4, False),
        (dict(num_extra_tokens=0), 0, False),
        ({}, 0, False),
    ])
def test_tokens_that_are_no_patches_are_left_out(network, extra,
                                                 has_class_token):
    tokens = torch.rand(2, extra + 8, 3)
    of_host = SimpleNamespace(**network)
    for backbone in (of_host, SimpleNamespace(timm_model=of_host)):
        outputs = [split_tokens(backbone, tokens)]
        maps = feature_map(outputs, (16, 32))
        assert torch.equal(maps.flatten(2).transpose(1, 2), tokens[:, extra:])
        token = class_token(outputs, (16, 32))
        assert torch.equal(token, tokens[:, 0]) if has_class_token else \
            token is None
        assert split_tokens(backbone, maps) is maps


@pytest.mark.parametrize('size, grid', [((64, 8), (8, 1)), ((36, 52), (5, 7)),
                                        ((7, 13), (1, 2))])
def test_patches_fill_a_grid_whatever_the_proportions(size, grid):
    """Patches of 8 pixels, of which the last ones may be cut."""
    rows, cols = grid
    patches = torch.rand(2, rows * cols, 3)
    assert grid_of([(patches, patches[:, 0])], size) == grid
