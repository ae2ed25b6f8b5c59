"""Progress lines, with a clock set by hand."""

import io

import pytest

from launch.runs import progress
from launch.runs.logs import Counts


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_come_every_ten_seconds_and_at_the_end(clock):
    stream = io.StringIO()
    shown = progress.Progress("mdqn/sea", 4000, stream=stream)
    for second in range(1, 26):
        clock[0] = 1000.0 + second
        shown.update(Counts(40 * second, 160 * second, 10 * second, 3), {"return": 1.5})
    shown.close()
    assert stream.getvalue().splitlines() == [
        "mdqn/sea  400/4,000 steps (10 %)  40 steps/s  10 updates/s  3 episodes  "
        "return 1.5  left 0:01:30",
        "mdqn/sea  800/4,000 steps (20 %)  40 steps/s  10 updates/s  3 episodes  "
        "return 1.5  left 0:01:20",
        "mdqn/sea  1,000/4,000 steps (25 %)  40 steps/s  10 updates/s  3 episodes  "
        "return 1.5  left 0:01:15",
    ]


def test_rates_forget_a_slow_start(clock):
    stream = io.StringIO()
    shown = progress.Progress("mdqn/sea", 100_000, stream=stream)
    clock[0] += 100.0  # such as compiling
    shown.update(Counts())
    for second in range(1, 61):
        clock[0] += 1.0
        shown.update(Counts(50 * second))
    assert "  50 steps/s" in stream.getvalue().splitlines()[-1]


def test_a_slow_run_has_a_rate_between_its_counts(clock):
    stream = io.StringIO()
    shown = progress.Progress("iqn/sea", 9000, stream=stream)
    shown.update(Counts())
    for second, steps in [(250, 1000), (500, 2000), (570, 2000), (625, 2000)]:
        clock[0] = 1000.0 + second
        shown.update(Counts(steps, steps, 2 * steps))
    rates = [line.split("  ")[2:4] for line in stream.getvalue().splitlines()]
    # 1,000 in 250 s, 2,000 in 500 s; then less with every second without new counts.
    assert rates[:2] == [["4 steps/s", "8 updates/s"]] * 2
    assert rates[2:] == [["3 steps/s", "6 updates/s"], ["3 steps/s", "5 updates/s"]]


def test_the_rate_of_a_resumed_run_counts_new_steps_only(clock):
    stream = io.StringIO()
    shown = progress.Progress("mdqn/sea", 9000, stream=stream)
    for second in range(21):
        clock[0] = 1000.0 + second
        shown.update(Counts(5000 + 40 * second, 20_000, 1000 + 10 * second))
    lines = stream.getvalue().splitlines()
    assert all("  40 steps/s  10 updates/s  " in line for line in lines)
    assert lines[0].endswith("left 0:01:30") and len(lines) == 2


def test_a_run_that_is_set_back_shows_the_rate_of_its_new_steps(clock):
    stream = io.StringIO()
    shown = progress.Progress("mdqn/sea", 9000, stream=stream)
    for second, steps in [(0, 5600), (10, 5000), (20, 5400)]:
        clock[0] = 1000.0 + second
        shown.update(Counts(steps))
    rates = [line.split("  ")[2] for line in stream.getvalue().splitlines()]
    assert rates == ["0 steps/s", "40 steps/s"]


def test_values_stay_until_they_are_given_again(clock):
    stream = io.StringIO()
    shown = progress.Progress("mdqn/sea", 10, stream=stream)
    shown.update(Counts(1), {"return": -20.123456, "waits": "learner"})
    shown.update(Counts(2), {"return": 3})
    shown.close()
    line = stream.getvalue().splitlines()[-1]
    assert "return 3" in line and "waits learner" in line


def test_a_terminal_gets_one_live_line(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    stream = Terminal()
    shown = progress.Progress("mdqn/sea", 100, stream=stream)
    for step in range(1, 5):
        clock[0] += 1.0
        shown.update(Counts(step))
    shown.close()
    text = stream.getvalue()
    assert text.count("mdqn/sea") >= 4 and "\x1b[2K" in text
    assert text.count("\n") == 1


def test_a_narrow_terminal_shows_the_whole_line(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    shown = progress.Progress("mdqn/sea", 100_000, stream=stream)
    clock[0] += 1.0
    shown.update(Counts(7000), {"bottleneck": "learner (actor/0 waits 62 %)"})
    shown.close()
    assert "learner (actor/0 waits 62 %)" in " ".join(stream.getvalue().split())


def test_the_cursor_stays_visible(clock, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    shown = progress.Progress("mdqn/sea", 100, stream=stream)
    text = stream.getvalue()
    assert text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
    shown.close()


@pytest.mark.parametrize(
    "waiting, expected",
    [
        ({"learner": 0.6, "actor/0": 0.1}, "actors (learner waits 60 %)"),
        (
            {"learner": 0.1, "actor/0": 0.2, "actor/1": 0.62},
            "learner (actor/1 waits 62 %)",
        ),
        ({"actor/0": 0.3}, "learner (actor/0 waits 30 %)"),
    ],
)
def test_the_bottleneck_is_the_role_that_others_wait_for(waiting, expected):
    assert progress.bottleneck(waiting) == expected
