"""Django's PostgreSQL backend on the embedded server, which starts on the first connection."""
