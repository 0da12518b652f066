"""What runs in the process of the user's service. Standard library only, less adapters."""
