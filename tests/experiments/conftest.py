"""The imports that warn, as for the environments' own tests."""

import tests.environments.conftest  # noqa: F401
