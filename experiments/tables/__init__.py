"""Makes the tables and pictures in `experiments/results`."""
