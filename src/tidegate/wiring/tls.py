"""The server's TLS context, from PEM texts that the supervisor read and checked."""

import os
import ssl
import tempfile
from pathlib import Path

from tidegate.wiring.orders import StartFailed, TlsFiles


def read_tls(certificate: Path, private_key: Path) -> TlsFiles:
    """Read and check both files; StartFailed says what is wrong with them."""
    try:
        files = TlsFiles(certificate.read_text("ascii"), private_key.read_text("ascii"))
        tls_context(files)
    except OSError as fault:  # ssl.SSLError is one
        reason = getattr(fault, "reason", "") or fault.strerror or str(fault)
        raise StartFailed(f"TLS: {certificate} and {private_key}: {reason}.") from None
    except UnicodeDecodeError:
        raise StartFailed(f"TLS: {certificate} or {private_key} is not PEM.") from None
    return files


def tls_context(files: TlsFiles) -> ssl.SSLContext:
    """Build the context. OpenSSL reads files only, so the texts pass through one in memory."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    content = f"{files.private_key}\n{files.certificate}\n".encode("ascii")
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("tls"), "w+b") as file:
            file.write(content)
            file.flush()
            # An empty password: an encrypted key is refused, not asked for on a terminal.
            context.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=b"")
        return context
    with tempfile.NamedTemporaryFile() as named:
        named.write(content)
        named.flush()
        context.load_cert_chain(named.name, password=b"")
    return context
