"""Collecting what the metrics are judged by: the effectful rim of the gate."""
