"""What counts: requests, events of calls and guards, and figures read from other rooms."""
