"""The command line: one module a command, and wiring.py, which joins the rooms."""
