"""Observations and actions of users' environments, against numbers by hand."""

import numpy as np
import pytest
from dm_env import specs
from gymnasium import spaces

from environments import own_spaces


@pytest.mark.parametrize("start", [0, 1, -3])
def test_discrete_actions_are_numbered_from_zero(start):
    actions = own_spaces.actions_of_space(spaces.Discrete(5, start=start))
    assert actions.spec.num_values == 5 and actions.bounds is None
    assert [actions.native(np.int32(each)) for each in (0, 4)] == [start, start + 4]


def test_bounds_of_each_dimension_become_minus_one_and_one():
    space = spaces.Box(
        np.array([0.0, -3.0, 2.0]), np.array([4.0, 1.0, 2.5]), dtype="f8"
    )
    actions = own_spaces.actions_of_space(space)
    assert actions.spec.shape == (3,)
    for action, native in [
        ([-1, -1, -1], [0, -3, 2]),
        ([1, 1, 1], [4, 1, 2.5]),
        ([0, 0.5, -0.5], [2, 0, 2.125]),
    ]:
        result = actions.native(np.array(action, np.float32))
        np.testing.assert_allclose(result, native, rtol=1e-6)
        assert result.dtype == np.float64 and space.contains(result)


def test_actions_of_any_shape_are_one_vector():
    actions = own_spaces.actions_of_space(spaces.Box(-2, 2, (2, 3), np.float32))
    assert actions.spec.shape == (6,)
    result = actions.native(np.arange(6, dtype=np.float32) / 5)
    np.testing.assert_allclose(result, [[0, 0.4, 0.8], [1.2, 1.6, 2]], rtol=1e-6)


@pytest.mark.parametrize(
    "space, remedy",
    [
        (spaces.MultiDiscrete([2, 3]), "gymnasium.wrappers.TransformAction"),
        (spaces.MultiBinary(3), "gymnasium.wrappers.TransformAction"),
        (spaces.Box(-np.inf, np.inf, (2,)), "finite bounds"),
        (spaces.Box(0, np.array([1, np.inf]), (2,), np.float64), "finite bounds"),
        (spaces.Box(0, 7, (2,), np.int32), "floating-point numbers"),
        (spaces.Box(0, np.array([1.0, 0.0]), (2,), np.float64), "without a width"),
        (spaces.Box(-1, 1, (0,), np.float32), "at least one number"),
    ],
)
def test_actions_that_no_agent_takes_are_refused_with_the_wrapper(space, remedy):
    with pytest.raises(ValueError, match="must") as caught:
        own_spaces.actions_of_space(space)
    assert remedy in str(caught.value) and "TransformAction" in str(caught.value)


def test_actions_of_dm_env():
    numbered = own_spaces.actions_of_spec(specs.BoundedArray((), np.int64, 2, 4))
    assert numbered.spec.num_values == 3
    assert [numbered.native(each) for each in range(3)] == [2, 3, 4]
    continuous = own_spaces.actions_of_spec(specs.BoundedArray((2,), float, 0, [1, 6]))
    np.testing.assert_allclose(continuous.native(np.array([1, 0], "f4")), [1, 3])
    with pytest.raises(ValueError, match="must be a DiscreteArray, or a BoundedArray"):
        own_spaces.actions_of_spec(specs.Array((2,), np.float32))


def test_discrete_observations_are_one_hot():
    observations = own_spaces.observations_of_space(spaces.Discrete(4, start=2))
    assert observations.spec.shape == (4,)
    np.testing.assert_array_equal(observations.convert(np.int64(5)), [0, 0, 0, 1])
    with pytest.raises(ValueError, match=r"must be in Discrete\(4, start=2\), got 6"):
        observations.convert(6)


NESTED = spaces.Dict(
    place=spaces.Discrete(3),
    rest=spaces.Tuple([spaces.MultiBinary(2), spaces.Box(-1, 1, (2, 1), np.float64)]),
)


def test_dicts_and_tuples_become_one_vector():
    observations = own_spaces.observations_of_space(NESTED)
    value = {"rest": ([1, 0], np.array([[0.25], [7.0]])), "place": 1}
    seen = observations.convert(value)
    np.testing.assert_array_equal(seen, np.float32([0, 1, 0, 1, 0, 0.25, 7]))
    assert seen.dtype == np.float32 and observations.spec.shape == (7,)


@pytest.mark.parametrize(
    "value, said",
    [
        ({"place": 1}, r"must have the keys \['place', 'rest'\], got \['place'\]"),
        ([1, 2], "must have the keys .*, got list"),
        ({"place": 1, "rest": [1]}, r"observation\['rest'\] must have 2 parts"),
        (
            {"place": 1, "rest": ([1, 0], np.zeros(2))},
            r"observation\['rest'\]\[1\] must have shape \[2, 1\], got \[2\]",
        ),
    ],
)
def test_a_wrong_part_is_named(value, said):
    with pytest.raises(ValueError, match=said):
        own_spaces.observations_of_space(NESTED).convert(value)


def test_observations_of_no_number_are_refused():
    said = "observations must have at least one number, got "
    with pytest.raises(ValueError, match=said):
        own_spaces.observations_of_space(spaces.Box(0, 1, (3, 0), np.float32))
    with pytest.raises(ValueError, match=said):
        own_spaces.observations_of_space(spaces.Dict(a=spaces.Box(0, 1, (0,))))
    with pytest.raises(ValueError, match=said):
        own_spaces.observations_of_spec({"a": specs.Array((0,), np.float32)})


def test_sequences_are_refused():
    with pytest.raises(ValueError, match="FilterObservation"):
        own_spaces.observations_of_space(
            spaces.Dict(a=spaces.Sequence(spaces.Discrete(2)))
        )


@pytest.mark.parametrize(
    "shape, seen",
    [
        ((44, 40, 3), (3, 44, 40)),
        ((7, 5, 4), (4, 7, 5)),
        ((3, 44, 40), (3, 44, 40)),
        ((44, 40), (1, 44, 40)),
        ((2, 44, 40, 3), (6, 44, 40)),
    ],
)
def test_images_have_their_channels_first(shape, seen):
    observations = own_spaces.observations_of_space(spaces.Box(0, 255, shape, np.uint8))
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    converted = observations.convert(image)
    assert converted.shape == seen == observations.spec.shape
    assert converted.dtype == np.uint8 and converted.sum() == image.sum()
    assert observations.same == (shape == seen)
    if shape == (2, 44, 40, 3):  # channel c of frame f
        np.testing.assert_array_equal(converted[4], image[1, :, :, 1])
    converted[:] = 0
    assert image.any()  # a copy: the environment may write into its array


def test_numbers_become_float32_and_bytes_that_are_no_image_too():
    for dtype, high in ((np.float64, 1e9), (np.int64, 1000), (np.uint8, 7)):
        box = spaces.Box(0, high, (5,), dtype)
        seen = own_spaces.observations_of_space(box).convert(np.arange(5, dtype=dtype))
        assert seen.dtype == np.float32
        np.testing.assert_array_equal(seen, np.arange(5))


@pytest.mark.parametrize(
    "value, said",
    [
        (np.zeros(3, np.float32), r"must have shape \[2\], got \[3\]"),
        (np.array(["a", "b"]), "must be float32, got <U1"),
        (None, r"must have shape \[2\], got \[\]"),
    ],
)
def test_a_wrong_array_is_named(value, said):
    box = spaces.Box(-1, 1, (2,), np.float32)
    with pytest.raises(ValueError, match=f"observation {said}"):
        own_spaces.observations_of_space(box).convert(value)


def test_observations_of_dm_env_are_flattened():
    spec = {"x": specs.Array((2,), np.int64), "y": [specs.Array((), bool)]}
    observations = own_spaces.observations_of_spec(spec)
    seen = observations.convert({"x": np.array([4, 7]), "y": [True]})
    np.testing.assert_array_equal(seen, np.float32([4, 7, 1]))
    with pytest.raises(ValueError, match="observation must be as its spec"):
        observations.convert({"x": np.array([4, 7])})
    one = own_spaces.observations_of_spec(specs.DiscreteArray(3))
    np.testing.assert_array_equal(one.convert(2), [0, 0, 1])
