"""What agents with completions share: vocabulary, policy, metrics, several devices."""

import dataclasses
import functools
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.parts.contract import Spec, discrete_spec
from agents.parts.language import assembly, transformer
from agents.parts.language.sequences import EOS
from tests.agents.parts.language.decoders import (
    COMPLETIONS,
    CONFIG,
    PROMPTS,
    V,
    random_params,
)

SPEC = Spec(
    observation=jax.ShapeDtypeStruct((5 + 7,), np.dtype(np.int32)),
    num_actions=V,
    action=jax.ShapeDtypeStruct((7,), np.dtype(np.int32)),
)
OBSERVATION = jnp.concatenate([PROMPTS, COMPLETIONS], axis=1)


def test_the_network_gets_the_tasks_vocabulary():
    assert assembly.for_task(transformer.Config(), SPEC) == transformer.Config(V)
    assert assembly.for_task(CONFIG, SPEC) == CONFIG


def test_another_vocabulary_is_refused():
    network = dataclasses.replace(CONFIG, vocabulary=14)
    message = r"network.vocabulary must be 0 or .* vocabulary, 13, got 14"
    with pytest.raises(ValueError, match=message):
        assembly.for_task(network, SPEC)


def test_a_task_without_tokens_is_refused():
    with pytest.raises(ValueError, match="needs a task whose actions are tokens"):
        assembly.for_task(CONFIG, discrete_spec((7,), np.float32, 5))


def test_an_observation_is_a_prompt_and_a_reference():
    prompt, reference = assembly.split(OBSERVATION, SPEC)
    np.testing.assert_array_equal(prompt, PROMPTS)
    np.testing.assert_array_equal(reference, COMPLETIONS)


@functools.cache
def compiled_policy():
    """A policy that generates a quarter of its calls in training."""
    act = assembly.acting(
        CONFIG, SPEC, generated=0.25, temperature=1.0, evaluation_temperature=0.0
    )
    params = {"policy": random_params()}
    return jax.jit(lambda key, evaluation: act(params, key, OBSERVATION, 0, evaluation))


def test_the_share_of_generated_calls_is_the_probability():
    """A call generates all completions or none; references have log-probability 0."""
    references = []
    for key in jax.random.split(jax.random.key(1), 200):
        tokens, extras = compiled_policy()(key, False)
        references.append(np.array_equal(tokens, COMPLETIONS))
        assert references[-1] == (not np.any(extras["log_probs"]))
    assert abs(np.mean(references) - 0.75) < 4 * (0.25 * 0.75 / 200) ** 0.5


def test_all_calls_generate_in_evaluation_and_greedily():
    calls = [compiled_policy()(jax.random.key(seed), True)[0] for seed in range(20)]
    assert not np.array_equal(calls[0], COMPLETIONS)
    for tokens in calls[1:]:
        np.testing.assert_array_equal(tokens, calls[0])


def test_metrics_of_completions_by_hand():
    completion = jnp.array([[EOS, 0, 0], [4, EOS, 0], [4, 5, 6], [4, 5, EOS]])
    metrics = assembly.completion_metrics(completion)
    assert metrics["completion_length"] == pytest.approx((1 + 2 + 3 + 3) / 4)
    assert metrics["truncated"] == 0.25


FOUR_DEVICES = """
import dataclasses, jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from agents.parts.language import sampling, sequences
from tests.agents.parts.language.decoders import (
    COMPLETIONS, CONFIG, PROMPTS, random_params,
)

ONE_LAYER = dataclasses.replace(CONFIG, layers=1)

def loss(params, prompt, completion):
    scores = sampling.score(params, ONE_LAYER, prompt, completion)
    return -sequences.token_mean(scores, sequences.completion_mask(completion))

params, rows = random_params(ONE_LAYER), np.array([3, 0, 4, 2, 1, 1, 2, 0])
batch = PROMPTS[rows], COMPLETIONS[rows]
step = jax.value_and_grad(loss)
mesh = Mesh(jax.devices(), ("data",))
shared, whole = (NamedSharding(mesh, PartitionSpec(*p)) for p in (("data",), ()))
four = jax.jit(step, in_shardings=(whole, shared, shared), out_shardings=whole)
found, wanted = four(params, *batch), jax.jit(step)(params, *batch)
assert len(found[0].sharding.device_set) == 4
parts = [slice(i, i + 2) for i in range(0, 8, 2)]
sums = jax.jit(jax.value_and_grad(
    lambda p, x, y: -sampling.score(p, ONE_LAYER, x, y).sum()
))
parts = [sums(params, batch[0][part], batch[1][part]) for part in parts]
count = sequences.completion_length(batch[1]).sum()
added = jax.tree.map(lambda *leaves: sum(leaves) / count, *parts)
for other in (found, added):
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
        other, wanted,
    )
print("equal")
"""


def test_four_devices_and_four_parts_give_the_loss_and_gradient_of_one_batch():
    """Sums over tokens are added, and divided once by the tokens of all parts."""
    flags = os.environ.get("XLA_FLAGS", "")
    result = subprocess.run(
        [sys.executable, "-c", FOUR_DEVICES],
        capture_output=True,
        text=True,
        env=os.environ
        | {"XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count=4"},
        cwd=".",
    )
    assert (result.stdout, result.stderr) == ("equal\n", "")
