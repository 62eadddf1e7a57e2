# SPDX-License-Identifier: Apache-2.0
"""A certificate authority and a server certificate for 127.0.0.1 and localhost, by openssl."""

import os
import subprocess


def _openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_certificates(folder):
    """Fills `folder` with ca.pem, server.pem, server.key and another authority, other-ca.pem."""
    os.makedirs(folder, exist_ok=True)
    if os.path.exists(os.path.join(folder, "server.pem")):
        return folder
    for name in ("ca", "other-ca"):
        _openssl(folder, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650",
                 "-subj", f"/CN=millrace test {name}", "-keyout", name + ".key",
                 "-out", name + ".pem")
    _openssl(folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
             "-keyout", "server.key", "-out", "server.csr")
    with open(os.path.join(folder, "names"), "w") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl(folder, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "3650", "-out", "server.pem", "-extfile", "names")
    return folder
