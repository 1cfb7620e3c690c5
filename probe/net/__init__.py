"""Network operations, each recorded as one step: DNS, TCP, TLS, HTTP, MTProto, QUIC."""
