import pytest

from mmregioncl.validation import (arguments_of, check_number,
                                   check_whole_number, did_you_mean, listed)


def test_whole_numbers():
    assert check_whole_number('k', 3, 'Hook', 3) == 3
    assert type(check_whole_number('k', 2.0, 'Hook')) is int
    assert check_whole_number('k', None, 'Hook', optional=True) is None


@pytest.mark.parametrize(
    'value',
    [2, 3.5, None, float('nan'),
     float('inf'), '5', True])
def test_other_values_are_refused(value):
    with pytest.raises(
            ValueError,
            match=f'^k={value!r} of Hook has to be a whole number from 3 on$'):
        check_whole_number('k', value, 'Hook', 3)


@pytest.mark.parametrize('value', [-1, '1', True, None, float('nan'), (1, )])
def test_numbers(value):
    assert check_number('lr', 0, 'Hook') == 0
    with pytest.raises(
            ValueError, match=r'^lr=.* of Hook has to be 0 or a positive nu'):
        check_number('lr', value, 'Hook')
    with pytest.raises(ValueError, match='^lr=0 of Hook has to be a positive'):
        check_number('lr', 0, 'Hook', positive=True)


def test_one_value_is_a_list_of_one():
    assert listed(5) == [5] and listed('5') == ['5']
    assert listed((5, 6)) == (5, 6)


class Low:

    def __init__(self, low: int) -> None:
        """Takes one argument."""


class Mixin:
    """Without arguments of its own."""


class Middle(Mixin, Low):

    def __init__(self, middle: int, **kwargs) -> None:
        super().__init__(**kwargs)


class Top(Middle):

    def __init__(self, top: int) -> None:
        super().__init__(middle=top, low=top)


def own(side: int) -> None:
    """A function."""


def test_arguments_end_where_none_are_passed_on():
    assert arguments_of(Top) == {'top'}
    assert arguments_of(Middle) == {'middle', 'kwargs', 'low'}
    assert arguments_of(own) == {'side'}


@pytest.mark.parametrize('name, near', [
    ('lrmul', ' (lr_mult?)'),
    ('learning_rate', ' (lr?)'),
    ('wd', ' (weight_decay?)'),
    ('size', ''),
])
def test_similar_names_and_initials_are_proposed(name, near):
    known = ('lr', 'weight_decay', 'lr_mult', 'decay_mult')
    assert did_you_mean(name, known) == near
