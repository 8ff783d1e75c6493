"""The booking migration: a code location of its own, not built yet."""
