"""A small Minari dataset made by hand."""

from launch.datasets import minari_writing
from launch.datasets.minari_writing import Description
from launch.datasets.source_environment import Native
from tests.launch.datasets.random_data import episodes, spec_of

ID = "ours/toy/three-v0"
SPEC = spec_of(observation=5, action=2)
EPISODES = episodes([3, 1, 4])
TEXT = Description((-7.0, 13.0), "td3", "abc123", "made by hand")


def write():
    """Writes the dataset; returns its directory."""
    return minari_writing.write(ID, EPISODES, Native(), TEXT)
