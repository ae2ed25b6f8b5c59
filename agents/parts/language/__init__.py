"""Parts of agents whose actions are sequences of tokens."""
