"""The running Envoy: started, told, asked, kept alive, drained."""
