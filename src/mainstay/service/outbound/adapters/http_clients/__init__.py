"""HTTP clients that hold a policy: httpx (both kinds), requests, aiohttp."""
