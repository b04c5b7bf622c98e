"""The HTTP process: application, middleware, error rendering and the OpenAPI document. It contains no rules."""
