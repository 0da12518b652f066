"""What every room stands on: clock, errors, events. Standard library only."""
