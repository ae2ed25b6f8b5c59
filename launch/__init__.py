"""Runs an experiment: actors, replay, learner, evaluator, in one or more processes."""
