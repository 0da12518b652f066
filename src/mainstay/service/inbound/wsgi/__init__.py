"""Requests that a thread answers: WSGI."""
