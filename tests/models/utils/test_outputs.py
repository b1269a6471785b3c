import pytest
import torch

from mmregioncl.models.utils import (class_token, feature_map, grid_of,
                                     image_features)


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
    assert torch.equal(image_features([token]), token)


@pytest.mark.parametrize('extra', [0, 1])
def test_grid_of_tokens_has_the_proportions_of_the_image(extra):
    tokens = torch.rand(2, 8 + extra, 3)  # of 9 tokens, 3x3 would be a grid
    assert grid_of(tokens, (32, 64)) == (2, 4)
    assert grid_of([tokens], (64, 32)) == (4, 2)
    maps = feature_map(tokens, (32, 64))
    assert torch.equal(maps.flatten(2).transpose(1, 2), tokens[:, extra:])
    token = class_token(tokens, (32, 64))
    assert (token is None) == (not extra)


def test_outputs_without_rows_and_columns_are_refused():
    for shape in [(2, 8), (2, 15, 8)]:
        with pytest.raises(
                ValueError, match='take a backbone or settings with'):
            feature_map([torch.rand(shape)])
