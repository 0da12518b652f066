"""The circuit breaker: its options, its state machine, and what processes tell each other of it."""
