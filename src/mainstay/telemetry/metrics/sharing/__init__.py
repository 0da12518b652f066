"""One sum of several processes: the workers of one replica, and what they fork."""
