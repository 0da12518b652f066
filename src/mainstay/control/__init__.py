"""What watches and acts: engines, the control API, load tests."""
