"""Engines run the replicas of a system."""
