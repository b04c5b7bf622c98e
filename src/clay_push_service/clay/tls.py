"""TLS context for webhooks: trusts the public certificate authorities and those of CLAY_PUSH_CA_FILE."""

import ssl

import httpx


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trust certifi's roots, regardless of SSL_CERT_FILE, and in addition those of `ca_file` (PEM).

    In addition, not instead: a private authority serves a proxy or gateway on the path, and Clay's own certificate must
    still verify where there is no proxy. Raises OSError (including ssl.SSLError) for an unusable file.
    """
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
