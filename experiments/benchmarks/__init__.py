"""How fast everything is, next to what it could be."""
