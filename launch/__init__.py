"""How an experiment runs: actors, replay, learner, evaluator; in one process or not."""
