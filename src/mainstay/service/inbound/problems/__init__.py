"""What a client is told when its request fails: kinds, documents, pages, an app's own errors."""
