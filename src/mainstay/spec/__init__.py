"""The declaration as frozen values; ``spec.load`` is the door that makes them from YAML."""
