"""Colours and dashes of all pictures."""

# Okabe and Ito's colours, ordered so that neighbours also differ for colour-blind
# readers. When all colours are used, the dashes change.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#777777")


DASHES: tuple[tuple[int, ...], ...] = ((), (5, 2), (1, 2), (6, 2, 1, 2))


INK, LINE = "#222222", "#dcdcdc"
