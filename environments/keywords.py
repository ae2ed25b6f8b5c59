"""A mapping that a frozen dataclass can have as a field."""

from typing import Any


class Keywords(dict[str, Any]):
    """Values by name as a part of a config, which must be hashable."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items(), key=lambda item: item[0])))
