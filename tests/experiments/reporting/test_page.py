"""The report page: self-contained, reproducible, and names never become markup."""

import re
from html.parser import HTMLParser

import pytest

from experiments.reporting import bootstrap
from launch.runs import events
from tests.experiments.report_pages import POINTS, ROWS, report
from tests.experiments.run_directories import write


class Elements(HTMLParser):
    """Every start tag and its attributes; every identifier."""

    def __init__(self, text):
        super().__init__()
        self.found, self.ids = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Makes the temporary folder, in which runs are written, the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bootstrap, "REPETITIONS", 100)
    return tmp_path


def test_the_page_is_self_contained(elsewhere):
    for seed in (0, 1):
        write(elsewhere, "mdqn/catch", seed, POINTS, ROWS)
        write(elsewhere, "dqn/catch", seed, POINTS, ROWS)
    assert report("mdqn", "dqn", "--output", "page.html") == 0
    page = (elsewhere / "page.html").read_text()
    elements = Elements(page)
    tags = {tag for tag, _ in elements.found}
    assert not tags & {"script", "link", "img", "iframe", "object", "a", "base"}
    for _, attributes in elements.found:
        for name, value in attributes.items():
            if name.startswith("on") or name in ("src", "href", "xlink:href"):
                assert name.endswith("href") and value.startswith("#")
            if value and "url(" in value:
                assert "url(#" in value
    assert "@import" not in page and "url(http" not in page
    assert len(set(elements.ids)) == len(elements.ids)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', page))
    assert used and used <= set(elements.ids)
    views = [attributes for tag, attributes in elements.found if tag == "svg"]
    assert views and all("viewbox" in attributes for attributes in views)
    assert not re.search(r'style="[^"]*#[0-9a-f]{6}', page)  # colours of the theme only


def test_equal_runs_give_equal_pages(elsewhere):
    write(elsewhere, "mdqn/catch", 0, POINTS)
    write(elsewhere, "dqn/catch", 0, POINTS)
    for output in ("a.html", "b.html"):
        assert report("mdqn", "dqn", "--output", output) == 0
    assert (elsewhere / "a.html").read_bytes() == (elsewhere / "b.html").read_bytes()


def test_names_are_text_and_never_markup(elsewhere):
    settings = {"environment": {"kind": "Catch", "name": "<b>$x$</b>"}}
    path = write(elsewhere, "<i>a&b", evaluations=POINTS, metrics=ROWS, **settings)
    assert report(path) == 0
    page = (path / "report.html").read_text()
    assert "<i>" not in page and "<b>$" not in page
    assert "&lt;i&gt;a&amp;b" in page
    assert report(path, "--picture", "p.svg") == 0


def test_roles_that_died_are_marked_and_listed(elsewhere):
    path = write(elsewhere, "mdqn/catch", evaluations=POINTS, metrics=ROWS)
    assert report(path) == 0
    before = (path / "report.html").read_text()
    assert "Roles that died" not in before and "Triangles" not in before
    events.append(
        path,
        events.RESTART,
        role="actor/3",
        host="<somewhere>",
        how="signal 9",
        steps=70,
        line="the end",
    )
    assert report(path) == 0
    page = (path / "report.html").read_text()
    assert "Triangles: 1 role died at these steps." in page
    for cell in ("70", "actor/3", "&lt;somewhere&gt;", "signal 9", "started again"):
        assert f"<td>{cell}</td>" in page
    assert "the end</td>" in page
