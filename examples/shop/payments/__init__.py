"""Charges, each at most once for its key."""
