"""Event-time operators: merging sides under a minimum watermark, joins, deduplication."""
