"""The language of a text, and of what has none."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from tasks.detectors import language
from tasks.detectors.base import DetectorDown
from tasks.detectors.language import LANGUAGES, SURE, language_of

needs_py3langid = pytest.mark.skipif(
    not importlib.util.find_spec("py3langid"), reason="the extra 'language' is not installed"
)


@needs_py3langid
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Selling a bicycle, hardly used, with two new tyres", "en"),
        ("Verkaufe ein Fahrrad, kaum gefahren, mit zwei neuen Reifen", "de"),
        ("Vends un vélo, peu utilisé, avec deux pneus neufs", "fr"),
        ("Vendo una bicicleta casi sin usar, con dos ruedas nuevas", "es"),
        ("Sprzedam rower, mało używany, z nowymi oponami", "pl"),
        ("Продаю велосипед, почти новый, с двумя шинами", "ru"),
        ("Продаю велосипед, майже не їздив, є дві нові шини", "uk"),
        ("自転車を売ります。ほとんど使っていません", "ja"),
        ("出售自行车，几乎没有使用过", "zh"),
        ("자전거 팝니다, 거의 사용하지 않았어요", "ko"),
        ("للبيع دراجة شبه جديدة مع إطارين جديدين", "ar"),
        (
            "https://shop.example/de/angebot Selling a bicycle, hardly used 4711 me@shop.example",
            "en",
        ),
    ],
)
def test_sentences(text: str, code: str) -> None:
    assert language_of(text).code == code


@needs_py3langid
@pytest.mark.parametrize(
    "text",
    ["", " ", "12345", "?!", "a", "👍👍", "https://example.org/haus", "\0\0", "\ud800 \udfff"],
)
def test_what_has_no_language(text: str) -> None:
    assert language_of(text) == ("", 0.0)


@needs_py3langid
def test_unsure_is_no_language() -> None:
    code, sure = language_of("ok lol")
    assert (code, 0 <= sure < SURE) == ("", True)


@needs_py3langid
def test_the_candidates_can_be_fewer() -> None:
    text = "Vendo una bicicleta casi sin usar"
    assert language_of(text, ("pt", "en")).code != "es"
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 27


def test_without_the_package_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    language._identifier.cache_clear()
    with pytest.raises(DetectorDown, match="extra 'language' is not installed"):
        language_of("Selling a bicycle")
