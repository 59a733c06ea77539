import pytest

from calrecords.datafiles import FitsFile, check_archivable
from calrecords.datafiles.shown import shown
from calrecords.errors import InvalidFrameError, InvalidKeywordError

LONG = "x" * 67 + "&"


@pytest.fixture
def with_long_text(write_frame):
    """Write a frame of which a keyword holds a text of 134,000 letters."""

    def write(keyword):
        more = {f"C{number}": f"CONTINUE  '{LONG}'".encode() for number in range(1_999)}
        return write_frame(**{keyword: LONG}, **more, END_OF_IT=b"CONTINUE  'x'")

    return write


def test_a_value_from_inside_is_shown_harmlessly():
    assert shown("\x1b[2J\udc80") == "'\\x1b[2J\\udc80'"
    assert len(shown("x" * 10_000)) < 110
    assert shown(10**5_000) == "a number of thousands of digits"


@pytest.mark.parametrize(
    "keyword", ["DATE_OBS", "DAY_OBS", "OBSTYPE", "EXPTIME", "CCDSUM", "TELID"]
)
def test_no_message_repeats_a_long_text(with_long_text, keyword):
    path = with_long_text(keyword.replace("_", "__"))
    with pytest.raises(
        InvalidKeywordError, match=f"{path.name}: {keyword.replace('_', '-')} "
    ) as e:
        check_archivable(FitsFile(path), ["BIAS"])
    assert len(str(e.value)) < 600


def test_no_message_repeats_a_long_text_where_a_number_should_be(with_long_text):
    with pytest.raises(InvalidFrameError, match="BITPIX = 'xxx") as raised:
        FitsFile(with_long_text("BITPIX"))
    assert len(str(raised.value)) < 600
