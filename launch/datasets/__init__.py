"""Logged experience: read, checked, normalised, sampled, written."""
