"""From folders, files and YAML to nodes with their places, and from nodes to values."""
