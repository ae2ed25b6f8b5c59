"""Language tasks: environments of one step whose action is a whole completion."""
