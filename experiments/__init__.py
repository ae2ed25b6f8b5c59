"""What did we run, and what came out? Named experiments, the command, results."""
