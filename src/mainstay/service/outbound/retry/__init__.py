"""Trying again: whether, when, within which budget, and when the other side asks for it."""
