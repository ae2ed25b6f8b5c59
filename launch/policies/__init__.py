"""What one does with a finished run: load, evaluate, render, collect."""
