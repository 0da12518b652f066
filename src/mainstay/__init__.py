"""Mainstay: a production platform for Python services, from one declaration."""

__version__ = "0.1.0"
