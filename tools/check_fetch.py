#!/usr/bin/python3
"""Fetches checkpoints from a server of its own: tools/check_fetch.py BUILD.

export_weights.py --fetch against https on this machine: the right file, and everything that can go wrong on
the way. The certificate is made by openssl and trusted through SSL_CERT_FILE, as a user would do it.
"""

import contextlib
import hashlib
import http.server
import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

import check_export
import export_weights
import fetch_source
import msw
from tap import Tap


class Server(http.server.BaseHTTPRequestHandler):
    """Each path is one way of answering; `file` is what should come."""

    file, plain = b"", ""

    def log_message(self, *_):
        pass

    def body(self, data, length=None):
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        with contextlib.suppress(OSError):  # who was told to stop reads no further
            self.wfile.write(data)

    def redirect(self, where):
        self.send_response(302)
        self.send_header("Location", where)
        self.end_headers()

    def do_GET(self):
        way, size = self.path.split("/")[1], len(self.file)
        if way == "right":
            self.body(self.file, size)
        elif way == "no-length":
            self.body(self.file)
        elif way == "other":
            self.body(bytes([self.file[0] ^ 1]) + self.file[1:], size)
        elif way == "cut":
            self.body(self.file[:size // 2], size)
        elif way == "promises-less":
            self.body(self.file, size // 2)
        elif way == "promises-much":
            self.body(self.file, fetch_source.LARGEST + 1)
        elif way == "without-end":
            self.body(bytes(fetch_source.LARGEST + 2 * fetch_source.PART))
        elif way == "moved":
            self.redirect(self.path.replace("moved", "right"))
        elif way == "circle":
            self.redirect(self.path)
        elif way == "to-http":
            self.redirect(f"http://localhost:{self.server.server_port}{self.path}")
        elif way == "to-file":
            self.redirect(f"file://{self.plain}")
        elif way == "silent":
            self.server.stop.wait(30)
        else:
            self.send_error(404)


def serve(folder):
    """An https server in a thread, and its certificate; None without openssl."""
    certificate, key = (os.path.join(folder, name) for name in ("certificate.pem", "key.pem"))
    if shutil.which("openssl") is None:
        return None, None
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = http.server.ThreadingHTTPServer(("localhost", 0), Server)
    server.stop = threading.Event()
    server.handle_error = lambda *_: None  # a client that distrusts the certificate hangs up
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, certificate


class Run:
    """export_weights.py --fetch torchvision-v2 from an address, in this process."""

    def __init__(self, address, output, *options):
        held, fetch_source.ADDRESSES = fetch_source.ADDRESSES, {"torchvision-v2": address}
        said, wrong, sys.argv = io.StringIO(), io.StringIO(), [
            "export_weights.py", "--fetch", "torchvision-v2", "-o", output, *options]
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(wrong):
                self.status = export_weights.main()
        finally:
            fetch_source.ADDRESSES = held
        self.said, self.wrong = said.getvalue(), wrong.getvalue()


def check_right(tap, root, name, output):
    for way in ("right", "no-length", "moved"):
        run = Run(f"{root}/{way}/{name}", output, "--keep-classifier")
        good = run.status == 0 and not run.wrong and "torchvision-v2" in run.said
        if good:
            model = msw.read(output)
            good = (model.facts["source"] == name and model.crop_side == 232 and model.resampling == "bilinear"
                    and msw.classifier(model).weight.shape[0] == 10
                    and model.facts["source-sha256"] == hashlib.sha256(Server.file).hexdigest())
        tap.check(good, f"the file comes and is converted: {way}", run.said + run.wrong)
        if os.path.exists(output):
            os.unlink(output)


def check_wrong(tap, root, name, folder, output):
    """One line that names the address and the cause, the status, and nothing left behind."""
    before = sorted(os.listdir(folder))
    for way, status, text in (("other", 3, "SHA-256"), ("cut", 4, "was cut after"),
                              ("promises-less", 3, "SHA-256"), ("promises-much", 4, "are announced"),
                              ("without-end", 4, "more than"), ("nowhere", 4, "404"),
                              ("to-http", 4, "is not https"), ("to-file", 4, ""), ("circle", 4, "302")):
        run = Run(f"{root}/{way}/{name}", output)
        tap.check(run.status == status and len(run.wrong.splitlines()) == 1 and text in run.wrong
                  and run.wrong.startswith(f"export_weights: {root}/{way}/") and not run.said
                  and sorted(os.listdir(folder)) == before, f"refused with status {status}: {way}",
                  run.said + run.wrong)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder:
        official = [re.fullmatch(r"https://download\.pytorch\.org/models/mobilenet_v2-[0-9a-f]{8}\.pth", a)
                    for a in fetch_source.ADDRESSES.values()]
        tap.check(all(official) and fetch_source.ADDRESSES.keys() == export_weights.FETCHES.keys(),
                  "two addresses, both official, each with its conventions")
        for arguments in ([], ["a.pth", "--fetch", "torchvision", "-o", "x.msw"], ["a.pth"],
                          ["--fetch", "keras"]):
            run = subprocess.run([export_weights.__file__, *arguments], capture_output=True, check=False)
            tap.check(run.returncode == 2, f"wrong usage: {' '.join(arguments)}", run.stderr)
        server, certificate = serve(folder)
        if server is None:
            print("# left out: fetching from a server on this machine (openssl is not installed)")
            tap.finish()
        root, source = f"https://localhost:{server.server_port}", os.path.join(folder, "model.pth")
        output = os.path.join(folder, "fetched.msw")
        check_export.write_pth(source, check_export.torchvision(0.35))
        with open(source, "rb") as file:
            Server.file, Server.plain = file.read(), source
        name = f"mobilenet_v2-{hashlib.sha256(Server.file).hexdigest()[:8]}.pth"
        # Temporary files come into the folder, too, so that what is left of them shows.
        tempfile.tempdir, fetch_source.LARGEST = folder, 1 << 23
        run = Run(f"{root}/right/{name}", output)
        tap.check(run.status == 4 and "certificate" in run.wrong and not os.path.exists(output),
                  "a certificate that nobody trusts is refused", run.wrong)
        os.environ["SSL_CERT_FILE"] = certificate
        check_right(tap, root, name, output)
        check_wrong(tap, root, name, folder, output)
        fetch_source.SECONDS = 0.5
        run = Run(f"{root}/silent/{name}", output)
        tap.check(run.status == 4 and "no answer for 0.5 seconds" in run.wrong, "a silent server", run.wrong)
        server.stop.set()
        server.shutdown()
        server.server_close()
        run = Run(f"{root}/right/{name}", output)
        tap.check(run.status == 4 and "refused" in run.wrong and not os.path.exists(output),
                  "without a server: status 4", run.wrong)
        tempfile.tempdir = None
    tap.finish()


if __name__ == "__main__":
    main()
