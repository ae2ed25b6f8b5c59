"""What actor, learner, evaluator and coordinator do; they know no engine."""
