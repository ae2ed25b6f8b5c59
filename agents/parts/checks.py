"""Checks of numbers that users set; each names the field, its value, the remedy."""


def between(name: str, value: float, low: float, high: float) -> None:
    """Raises ValueError unless `low <= value <= high`."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}: between {low} and {high}")


def at_least(name: str, value: float, low: float) -> None:
    """Raises ValueError unless `low <= value`."""
    if not value >= low:
        raise ValueError(f"{name} is {value}: at least {low}")


def above(name: str, value: float, low: float) -> None:
    """Raises ValueError unless `low < value`."""
    if not value > low:
        raise ValueError(f"{name} is {value}: above {low}")
