"""What a client that is slow may take of those that are not."""

FIRST_BYTES = 65_536
"""So much of a request's body is waited for before it takes a place of admission."""

READER_S = 0.1
"""So long a part may be with the server; then its request's place is anybody's. Who reads takes
each within a round trip or a few."""
