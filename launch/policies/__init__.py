"""Uses of a run's policy: load, evaluate, render it, or collect datasets with it."""
