"""What health says: checks, the board that runs them, the probes that ask, the document."""
