"""Text that any page, picture or terminal can show."""


def one_line(value: object) -> str:
    r"""A path or another text in one line that any page or terminal can show.

    Characters that cannot be printed become escapes: a line break `\n`, and a byte of
    a file name that is not UTF-8 `\xff`.
    """
    return "".join(
        letter if letter.isprintable() else _escape(letter) for letter in str(value)
    )


def _escape(letter: str) -> str:
    # Python reads the byte 0xff of a file name as the character U+DCFF.
    if "\udc80" <= letter <= "\udcff":
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode("ascii")
