"""The shim: a small program that owns one child, its output, its memory bound and its end."""
