"""Dopamine's settings for small tasks, and CartPole with these settings.

"Munchausen Reinforcement Learning" and "Leverage the Average" use them.
"""

from typing import Any

from experiments.catalogue.tasks import FEW_FRACTIONS, Environment, Task
from launch.experiment import Evaluation

SETTINGS: dict[str, Any] = {
    "discount": 0.99,
    "network.torso": "mlp",
    "network.hidden": (512, 512),
    "optimizer.learning_rate": 1e-3,
    "optimizer.epsilon": 0.01 / 32,  # Dopamine's
    "target_update_period": 25,  # 100 agent steps
    "exploration.initial": 0.01,
    "exploration.final": 0.01,
    "exploration.start": 0,
    "exploration.decay_steps": 0,
    "exploration.evaluation": 0.001,  # Dopamine's
    "storage.n_step": 1,
    "storage.capacity": 50_000,
    "storage.min_size": 500,
    "storage.batch_size": 128,
    "storage.samples_per_insert": 32.0,  # an update every 4 agent steps
}

# Features are scaled and rewards clipped to [-1, 1], as Dopamine does by default.
CARTPOLE = Task(
    "CartPole in Dopamine's settings; at best 500",
    Environment("Classic", {"name": "CartPole-v1", "protocol": "dopamine"}),
    500_000,
    Evaluation(period=25_000, episodes=10),
    SETTINGS,
    fractions=FEW_FRACTIONS,
)
