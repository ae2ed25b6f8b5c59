"""Programs that make the tables and pictures in `experiments/results`."""
