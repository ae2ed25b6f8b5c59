"""Programs behind a proxy, in a folder that holds packages of our names."""

import pytest

import munchausen

LINE = "train mdqn/catch --steps 300 --evaluation.period 300 --evaluation.episodes 2"


@pytest.mark.slow
@pytest.mark.launchpad
@pytest.mark.parametrize("how", ["--launch processes", "--launch threads", "--seeds 2"])
def test_a_run_finds_its_parts(command, monkeypatch, how):
    for name in ("agents", "launch", "experiments"):
        (command.directory / name).mkdir()
        (command.directory / name / "__init__.py").write_text("MINE = True")
    monkeypatch.delenv("no_grpc_proxy", raising=False)
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    _, *line = munchausen.command("experiments.cli", *LINE.split(), *how.split())
    code, out, err = command.start(*line).wait()
    assert code == 0, err
    assert "final evaluation return" in out
