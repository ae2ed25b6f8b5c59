"""Where roles run: in one thread, as threads, as processes."""
