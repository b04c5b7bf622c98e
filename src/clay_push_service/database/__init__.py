"""PostgreSQL access: connection pool, statements, error classification and the database clock."""
