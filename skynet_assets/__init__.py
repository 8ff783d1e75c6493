"""The Skynet migration: an internet provider's customers and e-billing into PostgreSQL."""
