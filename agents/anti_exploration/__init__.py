"""Offline RL as anti-exploration."""
