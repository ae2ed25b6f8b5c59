"""Tasks, experiments and figures, as data."""
