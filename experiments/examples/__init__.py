"""Small programs to read and to copy; each runs with `python -m`."""
