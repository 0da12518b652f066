"""Clients of other libraries, each with a policy inside. A library is imported when it is asked for."""
