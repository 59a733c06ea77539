"""What a server sends, read no further than was asked for."""

from __future__ import annotations

import http.client
import io


class BoundedReader(io.BufferedReader):
    """Reads as many bytes as it is asked for, and never all that may come.

    That is what `http.client` asks for where a server calls a chunk -1 bytes long.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes.

        Raises
        ------
        http.client.HTTPException
            If the number is not one.
        """
        if size is None or size < 0:
            msg = f"a length of {size} bytes"
            raise http.client.HTTPException(msg)
        return super().read(size)
