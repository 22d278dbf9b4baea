"""Executors on task queues that teams run already. Each module needs the extra of its name."""
