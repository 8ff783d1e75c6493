"""The billing migration: an internet provider's customers, bills and payments of three kinds, into one schema."""
