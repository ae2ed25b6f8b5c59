"""The wheel, the image's file and the pages agree with the repository."""

import email
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("agents", "environments", "experiments", "launch")
BUILD = """
import sys
from setuptools import build_meta
folder = sys.argv[1]  # build_meta replaces sys.argv
build_meta.build_sdist(folder)
build_meta.build_wheel(folder)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A directory with the wheel and the source distribution of the tracked files."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for path in tracked():
        target = source / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / path).read_bytes())
    subprocess.run(
        [sys.executable, "-c", BUILD, built],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return built


def tracked():
    """Files of git's index that exist; names relative to the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [
        path for path in done.stdout.split("\0") if path and (ROOT / path).is_file()
    ]


def wheel(built):
    [path] = built.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_has_every_module_and_every_file_that_the_code_reads(built):
    with wheel(built) as file:
        names = set(file.namelist())
    ours = {path for path in tracked() if path.split("/")[0] in PACKAGES}
    read = {path for path in ours if path.endswith((".py", "py.typed", ".j2", ".npz"))}
    read |= {path for path in ours if path.startswith("experiments/published/")}
    read |= {path for path in ours if path.startswith("launch/policies/trained/")}
    assert read <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= read
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top - {"munchausen.py"} == set(PACKAGES)
    with tarfile.open(next(built.glob("*.tar.gz"))) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    assert read | {"requirements.in", "LICENSE", "README.md"} <= inside


def test_the_wheel_says_what_it_needs_and_which_command_it_has(built):
    with wheel(built) as file:
        [info] = {
            name.split("/")[0] for name in file.namelist() if ".dist-info" in name
        }
        text = file.read(f"{info}/METADATA").decode()
        commands = file.read(f"{info}/entry_points.txt").decode()
        assert f"{info}/licenses/LICENSE" in file.namelist()
    metadata = email.message_from_string(text)
    assert metadata["Requires-Python"] == "<3.14,>=3.10"
    assert metadata["License"] == "Apache-2.0"
    assert re.search(r"^munchausen = \S+:main$", commands, re.M)
    lines = (ROOT / "requirements.in").read_text().splitlines()
    wanted = {line.split("#")[0].strip() for line in lines} - {""}
    needed = metadata.get_all("Requires-Dist")
    assert {each for each in needed if "extra ==" not in each} == wanted


def test_the_image_has_the_python_and_the_files_of_the_repository():
    text = (ROOT / "Dockerfile").read_text()
    wanted = (ROOT / ".python-version").read_text().strip()
    assert re.findall(r"^FROM python:([\d.]+)-slim-\w+$", text, re.M) == [wanted]
    assert f"python{wanted}" in text
    for line in re.findall(r"^COPY --chown=researcher (.+) \S+$", text, re.M):
        assert all((ROOT / name).exists() for name in line.split())
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^RUN make (\S+)", text, re.M):
        assert re.search(rf"^{re.escape(target)}:", makefile, re.M), target
    assert 'CMD ["make", "demo"]' in text
    assert text.index("USER researcher") < text.index("CMD")


def test_the_image_leaves_out_what_git_ignores():
    ignored = (ROOT / ".gitignore").read_text().split()
    left_out = (ROOT / ".dockerignore").read_text()
    names = {line.strip("/").removeprefix("**/") for line in left_out.splitlines()}
    for pattern in ignored:
        name = pattern.strip("/")
        assert name in names or (name.endswith("_cache") and ".*_cache" in names), name
    # Folders of the packages are not left out: a name without a slash is the root's.
    assert "launch/runs/" not in left_out and "**/runs" not in left_out
