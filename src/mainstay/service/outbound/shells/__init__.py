"""What runs a plan around a function: in a thread, in a task, or around the body of a ``with``."""
