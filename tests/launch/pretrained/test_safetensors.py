"""Checkpoints: the logits of Transformers, files read back, and refusals."""

import dataclasses
import importlib.util
import json
import subprocess
import sys

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors import safe_open

from agents.parts.language import transformer
from launch.errors import PretrainedError
from launch.pretrained import safetensors
from tests.launch.pretrained.checkpoints import GEMMA, change, copy, describe

NAMES = ("gemma2", "gemma3", "gemma3_multimodal")
UP = "model.layers.1.mlp.up_proj.weight"


def refusal(directory):
    """The one line with which a checkpoint is refused."""
    with pytest.raises(PretrainedError) as caught:
        safetensors.load(directory)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_transformers(name):
    checkpoint = safetensors.load(GEMMA / name)
    config = checkpoint.config
    expected = np.load(GEMMA / f"{name}.npz")

    @jax.jit
    def logits(params, tokens):
        states = transformer.hidden(params, config, tokens)
        return transformer.logits(params, config, states)

    found = logits(checkpoint.params, expected["tokens"])
    assert found.shape == (2, 24, 59)
    # Float32 sums in another order: 1e-5 of logits up to 5.
    np.testing.assert_allclose(found, expected["logits"], rtol=0, atol=1e-4)


def test_the_image_encoder_is_skipped_and_named(capsys):
    skipped = safetensors.load(GEMMA / "gemma3_multimodal").skipped
    assert len(skipped) == 23
    assert "multi_modal_projector.mm_input_projection_weight" in skipped
    assert capsys.readouterr().out == (
        f"{GEMMA / 'gemma3_multimodal'}: skipped 23 tensors of "
        "multi_modal_projector and vision_tower\n"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shard_bytes", [10**9, 50_000])
def test_a_written_checkpoint_is_read_back_bit_equal(name, shard_bytes, tmp_path):
    config, params, eos, _ = safetensors.load(GEMMA / name)
    directory = tmp_path / "written"
    safetensors.save(directory, config, params, eos=eos, shard_bytes=shard_bytes)
    again = safetensors.load(directory)
    assert (again.config, again.eos, again.skipped) == (config, eos, ())
    jax.tree.map(np.testing.assert_array_equal, again.params, params)
    assert [path.name for path in tmp_path.iterdir()] == ["written"]


def test_tensors_are_written_with_the_names_and_bytes_of_transformers(tmp_path):
    config, params, *_ = safetensors.load(GEMMA / "gemma3")
    safetensors.save(tmp_path / "written", config, params)
    theirs = safe_open(GEMMA / "gemma3" / "model.safetensors", "np")
    ours = safe_open(tmp_path / "written" / "model.safetensors", "np")
    assert ours.metadata() == theirs.metadata() == {"format": "pt"}
    assert {*ours.keys()} == {*theirs.keys()}
    for name in theirs.keys():
        np.testing.assert_array_equal(ours.get_tensor(name), theirs.get_tensor(name))


def test_several_files_stay_below_the_limit_and_have_an_index(tmp_path):
    config, params, *_ = safetensors.load(GEMMA / "gemma2")
    directory = tmp_path / "new" / "written"
    safetensors.save(directory, config, params, shard_bytes=50_000)
    index = json.loads((directory / "model.safetensors.index.json").read_text())
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert index["metadata"] == {"total_parameters": count, "total_size": 4 * count}
    files = sorted({*index["weight_map"].values()})
    assert files == [f"model-0000{i}-of-00004.safetensors" for i in (1, 2, 3, 4)]
    for file in files:
        opened = safe_open(directory / file, "np")
        held = {name: opened.get_tensor(name) for name in opened.keys()}
        assert {index["weight_map"][name] for name in held} == {file}
        assert sum(tensor.nbytes for tensor in held.values()) <= 50_000


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, np.float16])
def test_half_precision_is_read_as_float32(dtype, tmp_path):
    directory = copy("gemma2", tmp_path)
    halves = {}

    def halve(tensors):
        halves.update({name: x.astype(dtype) for name, x in tensors.items()})
        tensors.update(halves)

    change(directory, halve)
    params = safetensors.load(directory).params
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    expected = halves["model.norm.weight"].astype(np.float32)
    np.testing.assert_array_equal(params["norm"], expected)


def test_a_head_is_read_only_if_it_equals_the_embedding(tmp_path):
    directory = copy("gemma2", tmp_path)

    def tie(tensors):
        tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]

    def untie(tensors):
        tensors["lm_head.weight"] = tensors["lm_head.weight"] + np.float32(1e-3)

    change(directory, tie)
    safetensors.load(directory)
    change(directory, untie)
    assert refusal(directory) == (
        f"{directory}: lm_head.weight must be left out or equal "
        "model.embed_tokens.weight, as Gemma ties them, but it differs"
    )


def test_a_missing_tensor_is_named(tmp_path):
    directory = copy("gemma2", tmp_path)
    implied = f"{directory / 'config.json'} implies"
    change(directory, lambda tensors: tensors.pop(UP))
    expected = (
        f"{directory} must hold {UP} of shape [40, 32], as {implied}, but does not"
    )
    assert refusal(directory) == expected
    change(directory, lambda tensors: tensors.pop("model.norm.weight"))
    assert refusal(directory) == f"{expected}; 2 tensors are missing"


def test_a_surplus_tensor_is_named(tmp_path):
    directory = copy("gemma2", tmp_path)
    extra = {"model.layers.4.mlp.up_proj.weight": np.zeros((3, 2), np.float32)}
    change(directory, lambda tensors: tensors.update(extra))
    assert refusal(directory) == (
        f"{directory} must hold only the tensors that {directory / 'config.json'} "
        "implies, but it has model.layers.4.mlp.up_proj.weight of shape [3, 2]"
    )


def test_an_image_encoder_in_a_text_model_is_surplus(tmp_path):
    directory = copy("gemma3", tmp_path)
    extra = {"vision_tower.x": np.zeros(3, np.float32)}
    change(directory, lambda tensors: tensors.update(extra))
    assert "but it has vision_tower.x of shape [3]" in refusal(directory)


def test_a_misshapen_tensor_is_named(tmp_path):
    directory = copy("gemma2", tmp_path)
    describe(directory, intermediate_size=41)
    assert refusal(directory) == (
        f"{directory}: model.layers.0.mlp.down_proj.weight must have the shape "
        f"[32, 41], as {directory / 'config.json'} implies, got [32, 40]"
    )


def test_a_tensor_that_is_there_twice_is_named(tmp_path):
    directory = copy("gemma2", tmp_path)
    again = {"language_model.model.norm.weight": np.zeros(32, np.float32)}
    change(directory, lambda tensors: tensors.update(again))
    message = refusal(directory)
    assert "must hold each tensor once" in message
    assert "language_model.model.norm.weight" in message


def test_a_quantised_tensor_is_refused(tmp_path):
    directory = copy("gemma2", tmp_path)
    change(directory, lambda tensors: tensors.update({UP: tensors[UP].astype(np.int8)}))
    assert refusal(directory) == (
        f"{directory}: {UP} must be of type F32, BF16, F16, got I8; quantised weights "
        "cannot be read"
    )


def test_files_that_are_missing_or_broken_are_refused(tmp_path):
    directory = copy("gemma2", tmp_path)
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    assert refusal(directory).startswith(f"cannot read {path}: ")
    path.unlink()
    assert refusal(directory) == (
        "a checkpoint must have model.safetensors or model.safetensors.index.json, "
        f"but {directory} has neither"
    )


def test_an_index_that_does_not_fit_its_files_is_refused(tmp_path):
    directory = copy("gemma3_multimodal", tmp_path)
    path = directory / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    files = index["weight_map"]
    name = "language_model.model.norm.weight"
    files[name] = "model-00004-of-00004.safetensors"
    path.write_text(json.dumps(index))
    assert refusal(directory) == (
        f"{path} names {name} in model-00004-of-00004.safetensors, which must hold it, "
        "but does not: fetch the checkpoint again"
    )
    files[name] = "model-00005-of-00004.safetensors"
    path.write_text(json.dumps(index))
    missing = directory / files[name]
    assert refusal(directory).startswith(f"cannot read {missing}: No such file")
    for wrong in ({"weight_map": {name: "../x"}}, {}):
        path.write_text(json.dumps(wrong))
        assert "must have a weight_map" in refusal(directory)


def test_nothing_is_overwritten_and_a_failure_leaves_nothing(tmp_path):
    config, params, *_ = safetensors.load(GEMMA / "gemma2")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(PretrainedError, match="needs a new or empty directory, but"):
        safetensors.save(tmp_path / "full", config, params)
    with pytest.raises(PretrainedError, match=r"cannot write .*: .*Not a directory"):
        safetensors.save(tmp_path / "full" / "file" / "below", config, params)
    with pytest.raises(AssertionError):
        wider = dataclasses.replace(config, width=36)
        safetensors.save(tmp_path / "other", wider, params)
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


def test_the_tokenizer_goes_with_the_weights(tmp_path):
    directory = copy("gemma2", tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (directory / name).write_text(name)
    config, params, *_ = safetensors.load(directory)
    written = tmp_path / "written"
    safetensors.save(written, config, params, tokenizer_of=directory)
    assert {path.name for path in written.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert (written / "tokenizer.json").read_text() == "tokenizer.json"


def test_without_the_library_one_line_names_the_extra(tmp_path, monkeypatch):
    config, params, *_ = safetensors.load(GEMMA / "gemma2")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    assert refusal(GEMMA / "gemma2").endswith(
        "needs the package safetensors: install it with `make language`, or with "
        "`pip install 'munchausen[language]'`"
    )
    with pytest.raises(PretrainedError, match="needs the package safetensors"):
        safetensors.save(tmp_path / "new", config, params)
    assert not [*tmp_path.iterdir()]


# Asserts that each checkpoint is loaded whole, and that its logits are those in a file.
TRANSFORMERS = """
import sys
import numpy, torch, transformers
for directory, oracle in zip(sys.argv[1::2], sys.argv[2::2]):
    model, info = transformers.AutoModelForCausalLM.from_pretrained(
        directory, output_loading_info=True, attn_implementation="eager"
    )
    wrong = {name: keys for name, keys in info.items() if keys}
    assert not wrong, (directory, wrong)
    expected = numpy.load(oracle)
    with torch.no_grad():
        logits = model(torch.tensor(expected["tokens"])).logits
    difference = float(numpy.abs(logits.numpy() - expected["logits"]).max())
    assert difference < 1e-5, (directory, difference)
    print(directory, difference)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None,
    reason="Transformers and PyTorch are in no extra",
)
def test_transformers_loads_what_was_written(tmp_path):
    command = [sys.executable, "-c", TRANSFORMERS]
    for name in NAMES:
        config, params, *_ = safetensors.load(GEMMA / name)
        for shard_bytes in (10**9, 50_000):
            directory = tmp_path / f"{name}-{shard_bytes}"
            safetensors.save(directory, config, params, shard_bytes=shard_bytes)
            command += [directory, GEMMA / f"{name}.npz"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 6
