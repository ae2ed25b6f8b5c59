"""Networks that may give others their first weights: which fit, which are refused."""

import jax.numpy as jnp
import pytest

from agents import gkd
from agents.parts.contract import Stage
from environments.language.markov import Markov
from launch.build import make_stages, spec_of
from launch.errors import PretrainedError
from launch.experiment import Experiment, Origin
from launch.runs import initial_networks
from tests.launch.pretrained.checkpoints import copy, describe
from tests.launch.small_experiments import pendulum, small_catch


def check(experiment, **networks):
    """Checks an experiment whose agent has further networks that do not learn."""
    [stage] = make_stages(experiment, spec_of(experiment))

    def init(key):
        state = stage.agent.init(key)
        return state._replace(params=state.params | networks)

    initial_networks.check(experiment, [Stage(stage.agent._replace(init=init))])


def test_a_run_without_a_network_that_must_be_given_is_refused():
    [stage] = make_stages(small_catch(), spec_of(small_catch()))
    agent = stage.agent._replace(given=("q",))
    with pytest.raises(ValueError, match="the network q of dqn does not learn"):
        initial_networks.check(small_catch(name="dqn/catch"), [Stage(agent)])
    given = small_catch({"initial": {"q": "x"}}, "dqn/catch")
    initial_networks.check(given, [Stage(agent)])


def test_a_network_that_stays_random_needs_no_weights():
    check(small_catch(), random={"w": jnp.zeros((3, 2))})


def test_an_unknown_network_is_refused():
    with pytest.raises(ValueError, match=r"^--initial.p must name a network of dqn: "):
        check(small_catch({"initial": {"p": "x"}}, "dqn/catch"))


def test_weights_of_another_shape_are_refused_by_the_first_array():
    wide = small_catch({"agent.network.hidden": (17,)}, "dqn/catch")
    small = small_catch(name="mdqn/catch")
    own, source = map(initial_networks.learned_by, (wide, small))
    said = (
        r"^--initial.q must fit dqn/catch: params/Dense_0/kernel must be \[17, 3\] "
        r"float32, but in q of mdqn/catch it is \[16, 3\] float32$"
    )
    with pytest.raises(ValueError, match=said):
        initial_networks.check_fit(own, "q", source, "q")
    initial_networks.check_fit(source, "q", source, "q")
    assert source.architectures["q"].hidden == (16,)


def test_a_layer_that_one_network_lacks_is_named():
    fewer = initial_networks.learned_by(small_catch(name="mdqn/catch"))
    bare = fewer._replace(params={"q": {}})
    with pytest.raises(ValueError, match=r"Dense_0/.* but q of mdqn/catch has none$"):
        initial_networks.check_fit(fewer, "q", bare, "q")
    with pytest.raises(ValueError, match=r"q of mdqn/catch has .*Dense_0/.*32, too$"):
        initial_networks.check_fit(bare, "q", fewer, "q")


def test_weights_that_learned_from_other_inputs_are_refused():
    """An online run has raw observations, an offline run normalised ones."""
    raw = pendulum("td3", None, name="td3/pendulum")
    scaled = pendulum("td3_bc", "x.hdf5", name="td3_bc/pendulum")
    online, offline = map(initial_networks.learned_by, (raw, scaled))
    with pytest.raises(ValueError) as refused:
        initial_networks.check_fit(online, "policy", offline, "policy")
    assert str(refused.value) == (
        "--initial.policy must have learned from observations as they are, like "
        "td3/pendulum, but td3_bc/pendulum normalises them with its dataset: choose a "
        "run that learned with --preparation.normalize_observations false"
    )
    with pytest.raises(ValueError) as refused:
        initial_networks.check_fit(offline, "policy", online, "policy", "the base")
    assert str(refused.value) == (
        "the base must have learned from normalised observations, like "
        "td3_bc/pendulum, but td3/pendulum does not normalise them: add "
        "--preparation.normalize_observations false"
    )
    initial_networks.check_fit(offline, "policy", offline, "policy")


def test_statistics_of_observations_come_from_the_dataset_alone():
    with pytest.raises(
        ValueError, match=r"must name a network of td3_bc: one of critic, "
    ):
        wanted = pendulum("td3_bc", "x.hdf5", initial={"normalizer": "x"})
        initial_networks.check(wanted, make_stages(wanted, spec_of(wanted)))


def test_a_network_of_another_agent_may_be_chosen():
    learned = initial_networks.learned_by(small_catch())
    assert initial_networks.choose("q", learned) == "q"
    with pytest.raises(ValueError, match=r"with #q, got none, and it"):
        initial_networks.choose("critic", learned)
    with pytest.raises(ValueError, match=r"with #q, got 'critic'"):
        initial_networks.choose("q", learned, "critic")
    # A teacher that the source was given itself is not what the source has learned.
    both = learned._replace(params={"teacher": {}, "policy": {}, "value": {}})
    both = both._replace(learned=frozenset({"policy", "value"}))
    assert initial_networks.choose("teacher", both) == "policy"
    assert initial_networks.choose("value", both) == "value"
    assert initial_networks.choose("value", both, "teacher") == "teacher"


def test_another_vocabulary_is_refused_and_both_are_named():
    networks = initial_networks.learned_by(small_catch())
    ours = networks._replace(name="gkd/sums", words=("<pad>", "0", "1"))
    initial_networks.check_fit(ours, "q", ours._replace(name="sft/sums"), "q")
    initial_networks.check_fit(ours, "q", networks, "q")  # has none
    for words, token, found in (
        (("<pad>", "ann", "1"), 1, "'0' in the first and 'ann' in the second"),
        (("<pad>", "0"), 2, "'1' in the first and None in the second"),
    ):
        with pytest.raises(ValueError) as caught:
            theirs = networks._replace(name="sft/facts", words=words)
            initial_networks.check_fit(ours, "q", theirs, "q")
        assert str(caught.value) == (
            "--initial.q must have the vocabulary of gkd/sums, 3 tokens, but sft/facts "
            f"has another one of {len(words)}: token {token} is {found}"
        )


def test_a_teacher_with_other_end_tokens_than_the_policy_is_refused(tmp_path):
    teacher, policy = (copy(name, tmp_path) for name in ("gemma3", "gemma2"))
    places = {"policy": policy, "teacher": teacher}
    networks = {
        name: initial_networks.learned_at(place).architectures["policy"]
        for name, place in places.items()
    }
    experiment = Experiment(
        name="gkd/markov",
        agent_name="gkd",
        agent=gkd.Config(network=networks["policy"], teacher=networks["teacher"]),
        environment=Markov(order=1, symbols=55, prompt_columns=1),
        steps=64,
        initial={name: str(place) for name, place in places.items()},
        origins=tuple(
            Origin(name, str(place), "policy", "5" * 64)
            for name, place in places.items()
        ),
    )
    stages = make_stages(experiment, spec_of(experiment))
    initial_networks.check(experiment, stages)
    describe(teacher, eos_token_id=[1, 6])
    with pytest.raises(PretrainedError, match="the same eos_token_id, but "):
        initial_networks.check(experiment, stages)
    describe(policy, eos_token_id=[6, 1])
    initial_networks.check(experiment, stages)
