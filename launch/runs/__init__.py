"""All that lies in a run directory: config, logs, checkpoints, lock, progress."""
