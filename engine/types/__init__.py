"""Types that executors exchange."""
