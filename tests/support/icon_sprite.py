"""Writes the console's icon sprite from the package lucide-static: `python -m tests.support.icon_sprite DIRECTORY NAME...`.

DIRECTORY is `package/icons` of the unpacked npm archive. Icons that are already in the sprite stay.
"""

import re
import sys
from pathlib import Path

SPRITE = Path(__file__).parents[2] / "src/clay_push_service/console/static/icons.svg"
STROKE = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"'
SYMBOL = re.compile(r'<symbol id="([a-z0-9-]+)".*?</symbol>', re.DOTALL)


def symbol(name: str, icon: str) -> str:
    """Returns one icon as a `<symbol>` with the attributes that all Lucide icons share."""
    drawing = re.sub(r"\s*\n\s*", "", icon.partition("<svg")[2].partition(">")[2].partition("</svg>")[0]).strip()
    return f'<symbol id="{name}" viewBox="0 0 24 24" {STROKE}>{drawing.replace(" />", "/>")}</symbol>'


def main(directory: str, *names: str) -> None:
    kept = {found[1]: found[0] for found in SYMBOL.finditer(SPRITE.read_text("utf-8"))} if SPRITE.exists() else {}
    made = {name: symbol(name, (Path(directory) / f"{name}.svg").read_text("utf-8")) for name in names}
    symbols = "\n".join(text for _, text in sorted((kept | made).items()))
    head = "<!-- lucide-static 1.62.0, ISC License: vendor/LICENSE-lucide.txt -->"
    SPRITE.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">{head}\n{symbols}\n</svg>\n', "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
