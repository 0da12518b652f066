"""Running one app in this one process: what was asked, which app it is."""
