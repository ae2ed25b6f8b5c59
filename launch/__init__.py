"""Runs an experiment: actors, replay, learner, evaluator, in one or more processes."""

import munchausen

munchausen.refuse_others()
