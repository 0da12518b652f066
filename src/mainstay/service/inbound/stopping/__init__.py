"""The way out: unready, drain, the lifespan of an app, and what a signal sets off."""
