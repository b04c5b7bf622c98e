"""Which certificates a webhook's server may show: the public authorities, and the operator's own (CLAY_PUSH_CA_FILE) beside them."""

import ssl

import httpx


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Trust certifi's roots, whatever SSL_CERT_FILE says, and those of `ca_file` (PEM) in addition.

    In addition, not instead: a private authority is there for a proxy or a gateway on the way, and Clay's own certificate
    must hold wherever there is none. Raises OSError (ssl.SSLError among them) for a file that is not usable.
    """
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
