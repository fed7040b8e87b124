"""Sinks: event file, NATS JetStream, ledger."""
