"""Parameters are written by path and read back; other files are refused in one line."""

import jax
import numpy as np
import pytest

from launch.errors import RunDirectoryError
from launch.policies import policy_file

PARAMS = {
    "q": {"params": {"first": {"kernel": np.full((3, 5), 0.5, np.float32)}}},
    "normalizer": {"mean": np.arange(7.0, dtype=np.float32)},
}
SHAPES = jax.eval_shape(lambda: PARAMS)


def test_parameters_are_read_as_they_were_written(tmp_path):
    path = tmp_path / "policy.npz"
    policy_file.save(path, PARAMS)
    found = policy_file.load(path, SHAPES)
    assert jax.tree.structure(found) == jax.tree.structure(PARAMS)
    assert found["q"]["params"]["first"]["kernel"].tolist() == [[0.5] * 5] * 3
    assert found["normalizer"]["mean"].tolist() == [0, 1, 2, 3, 4, 5, 6]


def test_layers_in_a_list_are_read_as_they_were_written(tmp_path):
    layers = [{"kernel": np.full((2, 3), each, np.float32)} for each in (7, 8)]
    params = {"policy": {"embedding": np.arange(5.0), "layers": layers}}
    path = tmp_path / "policy.npz"
    policy_file.save(path, params)
    with np.load(path, allow_pickle=False) as file:
        assert "policy/layers/1/kernel" in file.files
    found = policy_file.load(path, jax.eval_shape(lambda: params))
    assert jax.tree.structure(found) == jax.tree.structure(params)
    assert found["policy"]["layers"][1]["kernel"].tolist() == [[8] * 3] * 2
    deeper = {"policy": {**params["policy"], "layers": [*layers, layers[0]]}}
    with pytest.raises(RunDirectoryError, match="policy/layers/2/kernel must have"):
        policy_file.load(path, deeper)


def test_parameters_of_another_agent_are_refused(tmp_path):
    path = tmp_path / "policy.npz"
    policy_file.save(path, PARAMS)
    wider = {**PARAMS, "normalizer": {"mean": np.zeros(9)}}
    with pytest.raises(
        RunDirectoryError, match=r"mean must have shape \[9\], got \[7\]"
    ):
        policy_file.load(path, wider)
    more = {**PARAMS, "policy": {"bias": np.zeros(2)}}
    with pytest.raises(RunDirectoryError, match=r"policy/bias .* \[2\], got no array"):
        policy_file.load(path, more)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"text of 13 bytes"])
def test_a_broken_file_is_refused_in_one_line(content, tmp_path):
    path = tmp_path / "policy.npz"
    path.write_bytes(content)
    with pytest.raises(
        RunDirectoryError, match=r"^cannot read .*policy\.npz: "
    ) as error:
        policy_file.load(path, SHAPES)
    assert "\n" not in str(error.value)
