"""What finding and migrating legacy uses costs, in real packages, against other tools."""
