"""Pages that are made from the code: agents, commands, results and the notebook.

mkdocs calls the functions `on_*`. Nothing here is copied by hand: an agent's page is
its module's docstring and the fields of its `Config`, a command's page is its `--help`.
"""

import contextlib
import functools
import inspect
import io
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import nbconvert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import agents
from experiments import cli, flags
from experiments.catalogue.experiments import NAMED

ROOT = Path(__file__).resolve().parents[1]
RESULTS = {
    "results.md": ROOT / "experiments/results/README.md",
    "iq_history.md": ROOT / "experiments/results/iq_history.md",
}
NOTEBOOK = ROOT / "docs/catch.ipynb"
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts a page for each agent into the navigation."""
    pages: list[Any] = [{"Overview": "agents/index.md"}]
    pages += [{_page_title(module): _agent_page(module)} for module in _modules()]
    for entry in config.nav or []:
        if "Agents" in entry:
            entry["Agents"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    pages = {"agents/index.md": _overview(), "commands.md": _commands()}
    pages |= {_agent_page(module): _agent(module) for module in _modules()}
    results, copied = _results()
    pages |= results
    pages["catch.md"], pictures = _notebook()
    for name, content in (pages | pictures).items():
        files.append(File.generated(config, name, content=content))
    for name, path in copied.items():
        files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Turns the links of a page of ours to files of the repository into links here."""
    source = ROOT / "docs" / page.file.src_uri
    if not source.is_file():  # generated
        return markdown
    start = posixpath.dirname(page.file.src_uri) or "."

    def target(match: re.Match[str]) -> str:
        place = _place((source.parent / match[2]).resolve())
        if place is None:
            return match[0]
        return f"[{match[1]}]({posixpath.relpath(place, start)}{match[3] or ''})"

    return _LINK.sub(target, markdown)


def _modules() -> list[str]:
    """The papers' modules, in the order of the registry."""
    return list(dict.fromkeys(recipe.module for recipe in agents.REGISTRY.values()))


def _names(module: str) -> list[str]:
    return [name for name, each in agents.REGISTRY.items() if each.module == module]


def _agent_page(module: str) -> str:
    return f"agents/{module.removeprefix('agents.').removesuffix('.agent')}.md"


def _docstring(module: str) -> str:
    return inspect.getdoc(__import__(module, fromlist=["Config"])) or ""


def _page_title(module: str) -> str:
    return _docstring(module).splitlines()[0].split(":")[0].rstrip(".")


def as_markdown(docstring: str) -> str:
    """A docstring as Markdown: a list needs an empty line before it, `<` an escape."""
    lines: list[str] = []
    for line in docstring.splitlines():
        begins = line.startswith("- ") and lines and lines[-1]
        if begins and not lines[-1].startswith(("- ", "  ")):
            lines.append("")
        code = line.startswith("    ") or "`" in line
        lines.append(line if code else line.replace("<", "&lt;"))
    return "\n".join(lines)


def _agent(module: str) -> str:
    first, _, rest = _docstring(module).partition("\n")
    names = _names(module)
    config = agents.REGISTRY[names[0]].config
    path = module.replace(".", "/") + ".py"
    parts = [
        f"# {_page_title(module)}",
        as_markdown(first),
        f"Source: `{path}`. Registered as {_listed(names)}. "
        "[Results](../results.md#by-paper).",
        as_markdown(rest).strip(),
        "## Hyper-parameters",
        as_markdown(inspect.getdoc(config) or "").split("\n")[0],
        _fields_table(config()),
        *_variants(names),
        "## Experiments",
        *(_experiments(name) for name in names),
    ]
    return "\n\n".join(parts) + "\n"


def _fields_table(config: Any) -> str:
    rows = [
        (
            f"`{path}`",
            flags.type_name(each.annotation).replace(
                "|", " | "
            ),  # lines may break here
            flags.show(each.value),
            each.help.replace("<", "&lt;"),
        )
        for path, each in flags.fields(config).items()
    ]
    return _table(("field", "type", "default", "meaning"), rows)


def _variants(names: Iterable[str]) -> Iterator[str]:
    """The fields in which each further name of a module differs from the defaults."""
    for name in names:
        settings = agents.REGISTRY[name].settings
        if settings:
            shown = ", ".join(f"`{k}` {flags.show(v)}" for k, v in settings.items())
            yield f"`{name}` has other defaults: {shown}."


def _experiments(name: str) -> str:
    tasks = [each.split("/")[1] for each, n in NAMED.items() if n.agent_name == name]
    return f"`munchausen train {name}/<task>` with the tasks {_listed(tasks)}."


def _overview() -> str:
    rows = [
        (
            f"[{_page_title(module)}]({posixpath.basename(_agent_page(module))})",
            _listed(_names(module)),
            agents.REGISTRY[_names(module)[0]].actions,
            "a dataset" if agents.REGISTRY[_names(module)[0]].dataset else "acting",
        )
        for module in _modules()
    ]
    head = (
        "# Agents\n\nEach page is made from the docstring and the fields of its module."
    )
    return f"{head}\n\n{_table(('agent', 'names', 'actions', 'learns from'), rows)}\n"


def _commands() -> str:
    parts = ["# Commands", "What each command prints with `--help`."]
    parts += ["## munchausen", _code(_help([]))]
    for verb in cli.VERBS:
        example = ["mdqn/catch"] if verb == "train" else []
        parts += [f"## {' '.join([verb, *example])}", _code(_help([verb, *example]))]
    parts += ["## train --resume", _code(_help(["train", "--resume", "RUN"]))]
    return "\n\n".join(parts) + "\n"


def _help(arguments: list[str]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        code = cli.main([*arguments, "--help"])
    if code:
        raise RuntimeError(f"munchausen {' '.join(arguments)} --help ended with {code}")
    return printed.getvalue().rstrip()


@functools.cache
def _places() -> dict[Path, str]:
    """The page of each file or folder of the repository that has one elsewhere."""
    places = {path: page for page, path in RESULTS.items()}
    places[ROOT / "README.md"] = "index.md"
    places[ROOT / "agents"] = "agents/index.md"
    places[NOTEBOOK] = "catch.md"
    for module in _modules():
        places[ROOT / f"{module.replace('.', '/')}.py"] = _agent_page(module)
    return places


def _place(path: Path) -> str | None:
    """Where the site has a file of the repository; None: nowhere."""
    if path.suffix in (".csv", ".png"):
        return f"files/{path.parent.name}/{path.name}"
    return _places().get(path)


def _results() -> tuple[dict[str, str], dict[str, Path]]:
    """The pages of results, and the pictures and tables that they link to."""
    copied: dict[str, Path] = {}

    def target(match: re.Match[str]) -> str:
        text, link, anchor = match[1], match[2], match[3] or ""
        path = (source.parent / link).resolve()
        place = _place(path)
        if place is None:
            return text  # a file of the repository that has no page
        if place.startswith("files/"):
            copied[place] = path
        return f"[{text}]({place}{anchor})"

    texts = {}
    for page, source in RESULTS.items():
        texts[page] = _LINK.sub(target, source.read_text(encoding="utf-8"))
    return texts, copied


def _notebook() -> tuple[str, dict[str, bytes]]:
    """The notebook's page with the outputs that it was saved with, and its pictures."""
    body, resources = nbconvert.MarkdownExporter().from_filename(str(NOTEBOOK))
    return re.sub(r"\n(?: *\n){2,}", "\n\n", body), resources["outputs"]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    escaped = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in escaped)


def _code(text: str) -> str:
    return f"```text\n{text}\n```"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
