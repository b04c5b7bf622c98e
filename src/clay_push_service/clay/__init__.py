"""Communication with Clay: the HTTP client for webhooks, its responses, and what each response means (outcome and cause)."""
