"""From the declaration to a real proxy: pure compilers and the running Envoy."""
