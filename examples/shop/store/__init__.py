"""The Valkey that the other services share: sessions, keys of requests, rate limits."""
