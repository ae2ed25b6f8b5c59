"""The package refuses to work with packages of others in place of ours."""

import subprocess
import sys


def test_a_package_in_place_of_ours_is_named(tmp_path):
    other = tmp_path.resolve() / "agents"
    other.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", "import experiments"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stderr.splitlines()[-1] == (
        "ImportError: munchausen needs its own package 'agents', but Python imports "
        f"the one in {other}: rename that one, remove its folder from PYTHONPATH, or "
        "call munchausen.take_names() before anything imports it"
    )
