"""What a durable step costs, against the raw client, the legacy executor and other engines."""
