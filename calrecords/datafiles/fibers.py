"""Which fibres of a spectrograph were lit, which arcs and lamp flats must agree in.

The headers of NRES name what each of its three fibres saw, as ``thar&thar&none``. That of an
arc and of a star with the same fibres lit differ, so rules compare attributes made of it, as
BANZAI-NRES does and spells them.
"""

from __future__ import annotations

from calrecords.datafiles.cards import HeaderValue

_FIBERS = 3
_BETWEEN = "&"
_DARK = "none"


def lit_fibers(contents: HeaderValue) -> dict[str, str]:
    """Return ``fiber0_lit`` to ``fiber2_lit``, each ``1`` or ``0``; nothing if it is not said.

    Parameters
    ----------
    contents : str or None
        What each fibre saw, ``none`` where it was dark. A text of other than three parts, or
        with an empty one, is no such list.

    Examples
    --------
    >>> lit_fibers("none&ThAr&HD 12345")
    {'fiber0_lit': '0', 'fiber1_lit': '1', 'fiber2_lit': '1'}
    """
    if not isinstance(contents, str):
        return {}
    parts = [part.strip().lower() for part in contents.split(_BETWEEN)]
    if len(parts) != _FIBERS or not all(parts):
        return {}
    return {f"fiber{number}_lit": str(int(part != _DARK)) for number, part in enumerate(parts)}
