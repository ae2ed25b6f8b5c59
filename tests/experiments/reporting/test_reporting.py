"""The package of reports."""

import subprocess
import sys


def test_matplotlib_has_a_folder_before_it_is_imported(tmp_path):
    (tmp_path / "file").touch()
    code = (
        "import os, sys, experiments.reporting; "
        "print('matplotlib' in sys.modules, os.path.isdir(os.environ['MPLCONFIGDIR']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "HOME": f"{tmp_path}/file/home",
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("False True\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]  # deleted at the end
