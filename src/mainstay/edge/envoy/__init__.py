"""From declarations and what runs to what Envoy is told. Pure: no clock, no I/O."""
