"""The report's page as a real browser lays it out."""

import html
import json
import re
import shutil
import subprocess

import pytest

from experiments import cli
from experiments.reporting import bootstrap
from tests.experiments.run_directories import metrics_row, write

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync "
    "--enable-logging=stderr --window-size=1600,1200"
).split()
PHONE, LAPTOP = 375, 1280  # pixels
ATARI = {"kind": "Atari", "game": "pong", "protocol": "dopamine"}

# The page in a frame of a given width, which is its window; the script leaves its
# findings where --dump-dom shows them.
FRAME = """<!doctype html><meta charset="utf-8"><body>
<style>iframe {{ width: {width}px; height: 900px; border: 0 }}</style>
<iframe id="page" srcdoc="{page}"></iframe>
<script>
document.getElementById("page").onload = event => {{
  const page = event.target.contentDocument, root = page.documentElement;
  const inner = event.target.contentWindow;
  const seen = [...page.querySelectorAll("main *:not(.scroll *):not(svg *)")];
  document.body.dataset.found = JSON.stringify({{
    width: inner.innerWidth,
    scrolls: root.scrollWidth,
    beyond: seen.filter(e => e.getBoundingClientRect().right > root.clientWidth + 1)
      .map(e => e.outerHTML.slice(0, 80)),
    requests: inner.performance.getEntriesByType("resource").map(e => e.name),
    figures: [...page.querySelectorAll("figure svg")]
      .filter(e => e.getBoundingClientRect().height > 100).length,
  }});
}};
</script>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The text of a report on two agents with two seeds each, in two environments."""
    root = tmp_path_factory.mktemp("report")
    rows = [
        metrics_row(step, role, step / 9, episodes=step // 9, **values)
        for step in range(10, 101, 10)
        for role, values in (
            ("actor", {"episode_return": step / 3, "waiting_share": 0.25}),
            ("learner", {"q_loss": 1 / step, "waiting_share": 0.5}),
        )
    ]
    for name, environment in (("catch", None), ("pong", ATARI)):
        for agent in ("dqn", "mdqn"):
            for seed in (0, 1):
                options = {} if environment is None else {"environment": environment}
                points = {50: [0.0, 2.0 + seed], 100: [-1234.5, 12.0]}
                write(root, f"{agent}/{name}", seed, points, rows, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "REPETITIONS", 100)
        assert cli.main(["report", str(root), "--output", f"{root}/all.html"]) == 0
    return (root / "all.html").read_text()


def look(page, width, tmp_path):
    """The page's layout in a window of that width, and the browser's console."""
    path = tmp_path / "frame.html"
    path.write_text(FRAME.format(width=width, page=html.escape(page)))
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    done = subprocess.run(
        [BROWSER, *FLAGS, profile, "--dump-dom", f"file://{path}"],
        capture_output=True,
        text=True,
        timeout=100,
    )
    found = re.search(r'data-found="([^"]*)"', done.stdout)
    assert found, done.stderr
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return json.loads(html.unescape(found[1])), console


@pytest.mark.parametrize("width, figures", [(PHONE, 10), (LAPTOP, 10)])
def test_the_page_fits_and_makes_no_requests(page, width, figures, tmp_path):
    found, console = look(page, width, tmp_path)
    assert found["width"] == width
    assert found["scrolls"] <= width
    assert found["beyond"] == []
    assert found["requests"] == []
    assert found["figures"] == figures
    assert console == []


def test_a_page_that_does_not_fit_is_detected(page, tmp_path):
    """The test above can fail."""
    wide = '<p style="width:500px">wide</p><img src="https://example.invalid/i.png">'
    broken = page.replace("<main>", f"<main>{wide}<script>nobody()</script>")
    found, console = look(broken, PHONE, tmp_path)
    assert found["scrolls"] > PHONE and len(found["beyond"]) == 1
    assert found["requests"] == ["https://example.invalid/i.png"]
    assert any("nobody is not defined" in line for line in console)


def test_the_page_prints(page, tmp_path):
    (tmp_path / "page.html").write_text(page)
    printed = tmp_path / "page.pdf"
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [BROWSER, *FLAGS, profile, f"--print-to-pdf={printed}"]
    subprocess.run(
        [*command, f"file://{tmp_path / 'page.html'}"],
        check=True,
        capture_output=True,
        timeout=100,
    )
    assert printed.read_bytes().startswith(b"%PDF")
    pages = re.findall(rb"/Type\s*/Page\b", printed.read_bytes())
    assert 3 <= len(pages) <= 12
