"""A curve in characters: braille dots, two by four per character, or asterisks if only ASCII can be printed."""

from collections.abc import Sequence

HEIGHT = 12
_DOTS = (
    (0x01, 0x02, 0x04, 0x40),
    (0x08, 0x10, 0x20, 0x80),
)  # a braille character's dots: left and right column, from the top


def sketch(values: Sequence[float], *, width: int, ascii_only: bool) -> list[str]:
    """Lines that show ``values`` (at least one, finite and not negative; one per update) over axes from 0.

    The curve is ``width`` by ``HEIGHT`` characters. Labels on the axis are the greatest value, the least one and 0.
    """
    fine_x, fine_y = (1, 1) if ascii_only else (2, 4)
    columns, rows = width * fine_x, HEIGHT * fine_y
    greatest, least = max(values), min(values)
    top = greatest or 1.0
    level = [min(int((1.0 - value / top) * rows), rows - 1) for value in values]
    filled = [[False] * columns for _ in range(rows)]
    before = level[0]
    for column in range(columns):
        first = column * len(values) // columns
        inside = level[first : max((column + 1) * len(values) // columns, first + 1)]
        # Extend to the previous value, so that a jump is a vertical line and the curve has no gaps.
        for row in range(min(*inside, before), max(*inside, before) + 1):
            filled[row][column] = True
        before = inside[-1]
    names = {HEIGHT - 1: "0"} | {level[values.index(value)] // fine_y: f"{value:.3g}" for value in (least, greatest)}
    margin = max(map(len, names.values()))
    corner, wall, tick, floor = "+|+-" if ascii_only else "└│┤─"
    lines = []
    for row in range(HEIGHT):
        block = filled[row * fine_y : (row + 1) * fine_y]
        drawn = "".join(_character(block, column, fine_x) for column in range(width))
        lines.append(f"{names.get(row, ''):>{margin}} {tick if row in names else wall}{drawn}".rstrip())
    end = str(len(values))
    return [
        *lines,
        f"{'':{margin}} {corner}{floor * width}",
        f"{'':{margin}}  0{'update':^{width - 1 - len(end)}}{end}",
    ]


def _character(block: list[list[bool]], column: int, fine_x: int) -> str:
    if fine_x == 1:
        return "*" if block[0][column] else " "
    dots = sum(bit for x, bits in enumerate(_DOTS) for bit, row in zip(bits, block, strict=True) if row[column * 2 + x])
    return chr(0x2800 + dots) if dots else " "
