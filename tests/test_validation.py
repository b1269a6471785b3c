import pytest

from mmregioncl.validation import check_whole_number


def test_whole_numbers():
    assert check_whole_number('k', 3, 3, 'Hook') == 3
    assert type(check_whole_number('k', 2.0, 0, 'Hook')) is int


@pytest.mark.parametrize('value', [2, 3.5, float('nan'), float('inf'), '5'])
def test_other_values_are_refused(value):
    with pytest.raises(
            ValueError,
            match=f'^k={value} of Hook has to be a whole number from 3 on$'):
        check_whole_number('k', value, 3, 'Hook')
