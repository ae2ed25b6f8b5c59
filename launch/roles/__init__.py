"""The roles of a run: actor, learner, evaluator and so on, independent of an engine."""
