"""Logs, metrics, traces and error reports, made of what the other rooms say they did."""
