"""Where faults strike: beneath the Redis client, and around the tools."""
