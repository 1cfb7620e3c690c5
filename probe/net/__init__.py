"""One network operation, recorded as one step: DNS, TCP, TLS, HTTP, MTProto, QUIC."""
