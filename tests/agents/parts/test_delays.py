"""Networks that learn at some learner steps only."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from agents.parts import sgd
from agents.parts.delays import Delay


@pytest.fixture(params=["cpu", "accelerator"])
def either_way(request, monkeypatch):
    """Runs a test with the branches for CPUs and with those for accelerators."""
    if request.param == "accelerator":
        chosen = lambda *, cpu, default: default()  # noqa: E731
        monkeypatch.setattr(jax.lax, "platform_dependent", chosen)


def slow_and_fast(metrics):
    """A network that learns at each step, and one that learns at every third."""

    def loss(params, target_params, batch, key):
        return params["slow"] * params["fast"], {"seen": params["fast"]}

    return sgd.learner(
        networks={name: (lambda key: jnp.array(2.0)) for name in ("fast", "slow")},
        losses={"fast": loss, "slow": loss},
        optimizers={name: optax.adam(0.1) for name in ("fast", "slow")},
        target_update=sgd.periodic(1),
        delayed={"slow": Delay(3, metrics)},
    )


def test_a_delayed_network_and_its_optimiser_move_only_when_due(key, either_way):
    """So do Adam's moments and count.

    Its metrics are new at every step until it learns first, and then when it learns.
    """
    init, update = slow_and_fast(("seen",))
    state, update, expected = init(key), jax.jit(update), {}
    for step in range(1, 8):
        following, metrics = update(state, None)
        own = [(s.params["slow"], s.opt_state["slow"]) for s in (state, following)]
        leaves = [jax.tree.leaves(pair) for pair in own]
        same = [bool(a == b) for a, b in zip(*leaves, strict=True)]
        assert not any(same) if step % 3 == 0 else all(same)
        assert following.params["fast"] != state.params["fast"]
        if step < 4 or step == 6:
            # The network before it in the order has been updated already.
            fast = following.params["fast"]
            expected = {"slow_loss": state.params["slow"] * fast, "seen": fast}
        for name, value in expected.items():
            np.testing.assert_allclose(metrics[name], value, rtol=1e-6, err_msg=name)
        state = following
    assert int(state.opt_state["slow"].optimizer[0].count) == 2
    assert int(state.opt_state["fast"][0].count) == 7


def test_the_loss_of_a_delayed_network_is_not_computed_while_it_rests(key):
    """The loss writes down each time that a CPU computes it."""
    computed = []

    def loss(params, target_params, batch, key):
        jax.debug.callback(lambda: computed.append(1))
        return params["slow"] ** 2, {}

    init, update = sgd.learner(
        networks={"slow": lambda key: jnp.array(2.0)},
        losses={"slow": loss},
        optimizers={"slow": optax.adam(0.1)},
        target_update=sgd.periodic(1),
        delayed={"slow": Delay(3)},
    )
    state, update, counts = init(key), jax.jit(update), []
    for _ in range(7):
        state, _ = update(state, None)
        jax.effects_barrier()
        counts.append(len(computed))
    assert counts == [1, 2, 3, 3, 3, 4, 4]


def test_metrics_that_a_delay_does_not_name_are_refused(key):
    init, update = slow_and_fast(())
    with pytest.raises(
        ValueError, match=r"must be \['slow_loss'\], got \['seen', 'slow_loss'\]"
    ):
        update(init(key), None)
