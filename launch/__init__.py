"""How an experiment runs: actors, replay, learner, evaluator; one process or several."""
