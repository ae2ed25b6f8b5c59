"""A file with the state of the part of a computed figure that was interrupted."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import output_files
from launch.errors import RunDirectoryError


class Part(NamedTuple):
    """A part that is not complete.

    Attributes:
        values: `[points, ...]`, the numbers in its rows so far.
        state: a tree of arrays; the computation continues from it.
    """

    values: Any
    state: Any


class Unfinished:
    """Keeps the newest part in a file; each save replaces the whole file."""

    def __init__(self, path: Path):
        """Reads and writes nothing.

        Args:
            path: of the file, which need not exist.
        """
        self.path = path

    def save(self, name: str, values: Sequence[Any], state: Any) -> None:
        """Replaces the part in the file.

        Args:
            name: identifies the part; it lists all that the state depends on.
            values: equal shapes, see `Part`.
            state: see `Part`.

        Raises:
            RunDirectoryError: the file cannot be written.
        """
        import jax
        import numpy as np

        # Arrays may still be being computed: a draft that waits would be left behind.
        arrays = [np.stack(values), *map(np.asarray, jax.tree.leaves(state))]
        with output_files.draft(self.path) as draft, draft.open("wb") as file:
            np.savez(file, *arrays, name=np.array(name))

    def load(self, name: str, like: Any) -> Part | None:
        """Reads the part. Returns None if the file is missing or holds another part.

        Args:
            name: of the part.
            like: a tree with the structure of the state.

        Raises:
            RunDirectoryError: the file cannot be read.
        """
        import jax
        import numpy as np

        if not self.path.exists():
            return None
        leaves, structure = jax.tree.flatten(like)
        try:
            with self.path.open("rb") as opened, np.load(opened) as file:
                if str(file["name"]) != name:
                    return None
                values, *state = (file[f"arr_{i}"] for i in range(1 + len(leaves)))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunDirectoryError(
                f"cannot read {self.path}: {' '.join(str(error).split())}; remove it, "
                "and the part that it holds is computed again"
            ) from error
        return Part(values, jax.tree.unflatten(structure, state))
