"""Learning from a dataset is measured beside the update alone."""

from experiments import bench_offline


def test_every_learner_is_measured_and_the_lookup_of_one():
    measured = bench_offline.offline(0.01, names=("bc", "ploff"), size=700)
    assert [one.unit for one in measured] == ["steps/s", "steps/s", ""]
    for one in measured:
        assert one.value > 0 and one.limit > 0
    assert 0 < measured[-1].value < 1 and measured[-1].limit == 0.5
