"""A matplotlib figure as SVG text: complete, usable in a page, and the same bytes every time."""

from __future__ import annotations

import io
import re
from xml.sax.saxutils import escape

import matplotlib
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_LONG = re.compile(r"-?\d+\.\d{3,}")
_DPI = 72  # of every SVG
_NAMESPACES = ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def render(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as an ``<svg>`` element with ``title`` and ``description`` for screen readers.

    ``name`` prefixes every id, so that the figures of a page do not clash. Coordinates keep two decimals.
    Must be called within `look.settings`.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0, 0)  # else matplotlib measures all tick labels to place an empty text
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata=_METADATA, bbox_inches=_tight(figure))
    svg = text.getvalue()
    opening = re.search(r"<svg [^>]*>", svg)
    view = re.search(r'viewBox="([^"]*)"', svg)
    assert opening and view  # matplotlib writes both
    body = svg[opening.end() :]
    # this style would apply to every element of a page; inherited from the root it has the same effect
    body = re.sub(r"\s*<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>", "", body, count=1)
    body = re.sub(r"<!--.*?-->\s*", "", body, flags=re.DOTALL)
    body = body.replace(' id="', f' id="{name}-')
    body = body.replace('xlink:href="#', f'xlink:href="#{name}-')
    body = body.replace("url(#", f"url(#{name}-")
    body = re.sub(r'\b([dxy])="([^"]*)"', lambda m: f'{m[1]}="{_short(m[2])}"', body)
    body = re.sub(r"\n\s*", "\n", body)
    width, height = view[1].split()[2:]
    return (
        f'<svg{_NAMESPACES} width="{width}pt" height="{height}pt" viewBox="{view[1]}" role="img"'
        f' aria-labelledby="{name}-title {name}-desc" stroke-linejoin="round" stroke-linecap="butt">\n'
        f'<title id="{name}-title">{escape(title)}</title>\n'
        f'<desc id="{name}-desc">{escape(description)}</desc>{body}'
    )


def _tight(figure: Figure) -> Bbox | None:
    """The box of ``savefig.bbox`` "tight", for which matplotlib would draw the figure once more; else None.

    It is also None for a figure with a layout engine, since that needs the extra drawing.
    """
    if matplotlib.rcParams["savefig.bbox"] != "tight" or figure.get_layout_engine() is not None:
        return None
    figure.set_dpi(_DPI)
    renderer = RendererSVG(*figure.bbox.size, io.StringIO(), image_dpi=_DPI)  # type: ignore[no-untyped-call]  # matplotlib's
    return figure.get_tightbbox(renderer).padded(matplotlib.rcParams["savefig.pad_inches"])


def inline(svg: str) -> str:
    """The element for an HTML page, which needs no namespaces."""
    return svg.replace(_NAMESPACES, "", 1).replace("xlink:href", "href")


def _short(numbers: str) -> str:
    return " ".join(_LONG.sub(_rounded, numbers).split())


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
