"""D4RL's scores: 0 for the return of a random policy, 100 for that of an expert.

Fu et al., "D4RL: Datasets for Deep Data-Driven Reinforcement Learning", 2020,
https://arxiv.org/abs/2004.07219. Constants: Farama-Foundation/D4RL, `d4rl/infos.py`,
the same for all versions of an environment.
"""

import re
from typing import Any

Reference = tuple[float, float]  # returns that score 0 and 100

# Qualities of D4RL's locomotion datasets, by the policies that acted.
QUALITIES = ("random", "medium", "medium-replay", "medium-expert", "expert")

# Of its datasets of the Adroit hand: people's demonstrations, and as many steps of them
# as of a policy that was trained to imitate them.
DEMONSTRATIONS = ("human", "cloned")

REFERENCES: dict[str, Reference] = {
    "halfcheetah": (-280.178953, 12135.0),
    "hopper": (-20.272305, 3234.3),
    "walker2d": (1.629008, 4592.3),
    "ant": (-325.6, 3879.7),
    "pen": (96.262799, 3076.8331017826877),
    "hammer": (-274.856578, 12794.134825156867),
    "door": (-56.512833, 2880.5693087298737),
    "relocate": (-6.425911, 4233.877797728884),
}

# Configs in `environments` whose `name` is that of a D4RL environment. Class names, so
# that the classes need not be imported.
_KINDS = ("Adroit", "Locomotion")

# Hopper-v5, adroit-pen, AdroitHandPen-v1, hopper-medium-replay-v2; not hopper-hop,
# which is a different hopper.
_NAME = re.compile(
    r"(?:adroit-|adroithand)?(?P<family>[a-z0-9]+)"
    r"(?:-(?:random|medium|expert|medium-replay|full-replay|medium-expert|human|cloned))?"
    r"(?:-v\d+)?"
)


def reference(environment: Any) -> Reference | None:
    """The returns that score 0 and 100; None if D4RL defines none.

    Args:
        environment: a config, or the name of an environment or of a D4RL dataset:
            `Hopper-v5`, `hopper`, `hopper-medium-v2`, `adroit-pen`, `pen-human-v1`.
    """
    known = type(environment).__name__ in _KINDS
    name = environment.name if known else environment
    if not isinstance(name, str):
        return None
    match = _NAME.fullmatch(name.lower())
    return REFERENCES.get(match["family"]) if match else None


def normalized(episode_return: float, reference: Reference) -> float:
    """100 (return - random) / (expert - random).

    Args:
        episode_return: undiscounted raw return, or a mean of several.
        reference: returns that score 0 and 100.
    """
    low, high = reference
    return 100 * (episode_return - low) / (high - low)
