"""What a value of the declaration may be, and how a field says so."""
