"""Processes that outlive the daemon: each owned by a shim, watched, adopted, ended."""
