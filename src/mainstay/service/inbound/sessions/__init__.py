"""What is remembered of a visitor, outside of the process: a signed cookie and a shared store."""
