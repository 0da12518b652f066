"""Clients of other libraries, each with a policy inside; a library is imported when asked for."""
