"""Requests that arrive: health, drain, access log, and the ASGI and WSGI shells."""
