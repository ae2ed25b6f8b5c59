"""Named experiments, the command `munchausen`, reports, and results of our runs."""

import munchausen

munchausen.refuse_others()
