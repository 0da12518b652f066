"""The control API: one request a connection, JSON lines over a Unix socket of the daemon."""
