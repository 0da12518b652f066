"""Calls that leave: one policy for each dependency."""
