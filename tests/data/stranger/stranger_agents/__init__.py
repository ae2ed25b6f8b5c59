"""Agents of a user's package."""

from agents import Recipe

REGISTRY = {
    "double_dqn": Recipe("stranger_agents.double_dqn"),
    "hasty_double_dqn": Recipe("stranger_agents.double_dqn", "HASTY"),
}
