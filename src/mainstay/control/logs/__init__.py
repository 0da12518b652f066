"""What replicas and the proxy wrote: their files read as one stream, looked through, followed."""
