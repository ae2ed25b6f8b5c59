"""Text for any page or terminal."""

import os

from experiments.reporting import plain_text


def test_what_cannot_be_printed_is_escaped_and_the_rest_is_kept():
    assert plain_text.one_line("a b/ü%#$<i>") == "a b/ü%#$<i>"
    assert plain_text.one_line(os.fsdecode(b"x\xff\n\x1b")) == r"x\xff\n\x1b"
    assert plain_text.one_line("\ud800\u2028") == r"\ud800\u2028"
