from mmengine.config import Config

from mmregioncl.datasets.nested import dotted_items


def test_all_parts_of_a_config_have_dotted_keys():
    cfg = Config(dict(model=dict(steps=[dict(a=1), (2, )])))
    assert dict(dotted_items(cfg._cfg_dict)) == {
        'model': cfg.model,
        'model.steps': cfg.model.steps,
        'model.steps.0': dict(a=1),
        'model.steps.0.a': 1,
        'model.steps.1': (2, ),
        'model.steps.1.0': 2
    }
    assert [*dotted_items([1], 'model')] == [('model.0', 1)]
