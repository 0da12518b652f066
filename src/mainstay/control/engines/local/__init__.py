"""The local engine: replicas as processes of this machine."""
