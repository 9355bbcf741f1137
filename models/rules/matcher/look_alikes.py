"""Letters of other scripts and symbols that look like a Latin letter.

The common scripts are listed here, by hand: Unicode's confusables (UTS 39) without those for which
rules would then mismatch. Rarer scripts (Cherokee, Lisu, Coptic, …) come from a file that
`scripts/_matcher_data.py` generates.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

PATH = Path(__file__).parent.parent / "data" / "look_alikes.txt"

# A capital I inside a lower-case word looks like an l ("kiIl"); this letter means either.
EITHER_I_OR_L = "\u01c0"

# Look-alikes that Unicode does not decompose, by the Latin letter they imitate. Each letter is
# mapped in both cases, so a Cyrillic or Greek rule still matches its own script in any case:
# pattern and text are folded alike.
_IMITATIONS = """
a аαɑᴀꭺᎪꓮᗩᏗ  b вβʙƀᏴꓐᏰ    c сϲᴄᏟꓚϹᑕ  d ԁđᴅᎠꓓɗ  e еεєᴇᎬꓰəҽᗴᏋ  f ƒꜰꓝքϝϜ  g ɡɢᏀꓖցᎶ
h нһħʜᎻꓧհ    i іιıɪɩɨᎥӏ   j јϳᴊᎫꓙ   k кκᴋᏦꓗ   l łʟᏞꓡɫᏝ     m мμᴍᎷꓟϻϺ  n ηɴռոꓠᑎᏁ
o оοøᴏօꓳɵᎧ   p рρᴘᏢꓑᎮ    q ԛʠꞯᑫ    r гʀᎡꓣ    s ѕꜱꓢᏚʂᔕ    t тτŧᴛᎢꓔᏖ   u υᴜսꓴʋᏌ
v ѵνᴠᏙꓦᏉ     w ԝωᴡᏔᎳꓪᗯᏇ  x хχꓫ      y уγʏүꓬƴ  z ζᴢᏃꓜʐᘔ
"""
_COMMON_SCRIPTS = frozenset(("LATIN", "CYRILLIC", "GREEK"))


@cache
def look_alikes() -> dict[str, str]:
    """The Latin letter of each look-alike."""
    rows = [line.split() for line in PATH.read_text("utf-8").splitlines()]
    rare = {imitation: latin for latin, letters in rows for imitation in letters}
    pairs = zip(*[iter(_IMITATIONS.split())] * 2, strict=True)
    return rare | {imitation: latin for latin, letters in pairs for imitation in letters}


def rare_scripts_of(text: str) -> set[str]:
    """The scripts other than Latin, Greek and Cyrillic of which the text has look-alikes."""
    table = look_alikes()
    return {script_of(char) for char in text if char in table} - {""}


@cache
def script_of(char: str) -> str:
    """The rare script of a letter by its Unicode name; empty for common scripts and symbols."""
    name = unicodedata.name(char, "").split(" ", 1)[0]
    return name if char.isalpha() and name not in _COMMON_SCRIPTS else ""
