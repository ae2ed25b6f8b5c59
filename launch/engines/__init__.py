"""Engines that run the roles: in one thread, as threads, or as processes."""
