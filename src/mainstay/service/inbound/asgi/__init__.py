"""Requests that a task answers: ASGI."""
