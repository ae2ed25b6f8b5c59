"""Hard linear MDPs: gaps and sample counts."""

import jax
import numpy as np
import pytest

from experiments.papers import hard_linear


@pytest.mark.slow
def test_every_scheme_has_a_gap_and_a_sample_count_at_each_iteration():
    found = hard_linear.gaps(
        jax.random.split(jax.random.key(0), 2),
        samples=3,
        iterations=5,
        first=2,
        variances=(("few", 7),),
    )
    assert {"f = 1", "f = f*", "few", "few, notebook"} <= set(found)
    for name, (gap, used) in found.items():
        assert gap.shape == used.shape == (2, 5), name
        assert np.isfinite(gap).all() and (np.diff(used, axis=1) > 0).all(), name
    gap, used = found["few"]
    # Until the variance is estimated, the scheme runs without weights.
    np.testing.assert_array_equal(gap[:, :2], found["f = 1"][0][:, :2])
    extra = used[:, 2] - used[:, 1]
    assert (extra > used[:, 1] - used[:, 0]).all(), "the estimate costs pairs"
