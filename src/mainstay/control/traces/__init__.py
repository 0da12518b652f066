"""The spans of a system on this machine: received over OTLP, kept in a ring, read again."""
