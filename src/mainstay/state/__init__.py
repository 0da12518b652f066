"""Where data lives beyond one process: what Mainstay's guards keep in Valkey."""
