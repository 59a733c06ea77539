"""An archive on loopback that says whatever a test wants it to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EMPTY = "d41d8cd98f00b204e9800998ecf8427e"
"""The md5 of no bytes, which is what every file holds here."""
HEADER = {
    "SITEID": "lsc",
    "INSTRUME": "fa01",
    "TELID": "1m0a",
    "OBSTYPE": "BIAS",
    "DATE-OBS": "2026-01-01T00:00:00",
    "DAY-OBS": "20260101",
}


class LyingArchive(ThreadingHTTPServer):
    """Answers that it has one frame, of which some fields may be told otherwise.

    Parameters
    ----------
    frame, version, header : mapping
        What is told otherwise of the frame, of its one version, and in its header.
    """

    daemon_threads = True

    def __init__(self, *, frame=None, version=None, header=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = f"http://127.0.0.1:{self.server_address[1]}/"
        told = {"id": 1, "key": "k", "md5": EMPTY, "extension": ".fits", "created": None}
        told |= {"url": f"{self.root}files/b.fits"} | (version or {})
        self.frame = {
            "id": 1,
            "basename": "b",
            "configuration_type": "BIAS",
            "site_id": "lsc",
            "instrument_id": "fa01",
            "version_set": [told],
        } | (frame or {})
        self.header = HEADER | (header or {})

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/frames/1/headers"):
            body = json.dumps({"data": self.server.header}).encode()
        elif self.path.startswith("/frames/1/"):
            body = json.dumps(self.server.frame).encode()
        elif self.path.startswith("/files/"):
            body = b""
        else:
            body = b'{"count": 0, "next": null, "previous": null, "results": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
