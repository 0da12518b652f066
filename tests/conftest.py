"""What all tests share."""

from hypothesis import settings

# A busy machine is no failure: laws are about what is returned, never about how soon.
settings.register_profile("mainstay", deadline=None)
settings.load_profile("mainstay")
