"""PLOFF: offline RL with a learned pseudometric."""
