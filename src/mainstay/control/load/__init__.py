"""Open-loop load with a latency histogram."""
