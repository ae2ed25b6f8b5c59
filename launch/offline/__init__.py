"""Learning from a dataset: reading, preparing, stages, runs without actors."""
