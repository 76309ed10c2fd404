"""Downloads a publisher's checkpoint (export_weights.py --fetch): over HTTPS, bounded, and of the published hash.

fetch(address, folder) gives the path of the file, or raises Unable where it cannot be had and WrongHash
where something else came. The address's last part is the file's name, which ends, behind a hyphen, in the first eight
digits of its SHA-256: that is how the publisher's own loader checks it, too. Certificates are those that Python
trusts; SSL_CERT_FILE names others, https_proxy a proxy.
"""

import hashlib
import http.client
import os
import re
import ssl
import sys
import urllib.error
import urllib.request

ADDRESSES = {"torchvision": "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
             "torchvision-v2": "https://download.pytorch.org/models/mobilenet_v2-7ebf99e0.pth"}
LARGEST = 64 << 20  # the files have 14 MB
PART = 1 << 16
SECONDS = 30  # without a byte


class Unable(Exception):
    """The file cannot be had; the text says why."""


class WrongHash(Exception):
    """What came is not what was published."""


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.lower().startswith("https://"):
            raise Unable(f"redirected to {newurl:.120}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener():
    """Of urllib's ways only those that are needed: no file:, no ftp:, no http:."""
    opener = urllib.request.OpenerDirector()
    context = ssl.create_default_context()
    for handler in (urllib.request.ProxyHandler(), urllib.request.HTTPSHandler(context=context), _OnlyHttps(),
                    urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor(),
                    urllib.request.UnknownHandler()):
        opener.add_handler(handler)
    return opener


def _show(done, size, end=""):
    if sys.stderr.isatty():
        whole = f" of {size / 1e6:.1f}" if size else ""
        print(f"\r{done / 1e6:.1f}{whole} MB{end}", end="", file=sys.stderr, flush=True)


def _copy(answer, file):
    """The body into the file; gives its SHA-256."""
    size, done, digest = answer.length, 0, hashlib.sha256()
    if size is not None and size > LARGEST:
        raise Unable(f"{size:,} bytes are announced, at most {LARGEST:,} are taken")
    while part := answer.read(PART):
        done += len(part)
        if done > LARGEST:
            raise Unable(f"more than {LARGEST:,} bytes came")
        digest.update(part)
        file.write(part)
        _show(done, size)
    _show(done, size, "\n")
    if size is not None and done != size:
        raise Unable(f"the connection was cut after {done:,} of {size:,} bytes")
    return digest.hexdigest()


def fetch(address, folder):
    name = address.rpartition("/")[2]
    expected = re.search(r"-([0-9a-f]{8})\.", name)[1]
    path = os.path.join(folder, name)
    try:
        with _opener().open(address, timeout=SECONDS) as answer, open(path, "wb") as file:
            found = _copy(answer, file)
    except urllib.error.HTTPError as error:
        raise Unable(f"the server says {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise Unable(getattr(error.reason, "strerror", None) or error.reason) from None
    except http.client.HTTPException as error:
        raise Unable(f"the answer is damaged ({error!r:.80})") from None
    except TimeoutError:
        raise Unable(f"no answer for {SECONDS} seconds") from None
    except OSError as error:
        raise Unable(f"{error.strerror or error}") from None
    if not found.startswith(expected):
        raise WrongHash(f"the SHA-256 of what came begins with {found[:8]}, not {expected}")
    return path
