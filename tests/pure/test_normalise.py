import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.rules.matcher.normalise import Folded
from models.rules.matcher.text_views import Squeezed, plain_view, squeezes, views

# Text as evaders and the world write it: any character, and often those that have rules here.
texts = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "aeilost01345$@!|.-_ \n\t\x00éßﬁªм三片กีがｶﾞ강🅰ⓐ\u200b\u00ad\u0301\ud800™½İIϲ😀"
        ),
    )
)


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Plain", "plain"),
        ("Ｆｕｌｌ", "full"),
        ("naïve Ångström", "naive angstrom"),
        ("nai\u0308ve", "naive"),
        ("so\u00adft\u200b", "soft"),
        ("ﬁne Straße", "fine strasse"),
        ("ⓥⓘ🅐🅶", "viag"),
        ("\u0440\u043e\u0433n", "porn"),
        ("İI", "ii"),
        ("٣۴5", "345"),
        ("café™", "cafe "),
        ("хуй", "xyи"),
        ("กะปิ", " กะปิ "),
        ("がガ강", " がガ강 "),
        ("हिन्दी", "हिन्दी"),
        ("مُحَمَّد", "محمد"),
        ("a\ud800b", "a b"),
        ("fu\u03f2k ϹOϝ", "fuck cof"),
        ("ꭺᏴ ᖴᑌ 🯰", "ab fu 0"),
        ("a\u2028b\x85é", "a\nb\ne"),
    ],
)
def test_it_reads_the_letters_of_a_text(text: str, letters: str) -> None:
    assert Folded(text).letters == f" {letters} "


def test_leetspeak_shares_a_shape_with_its_letters() -> None:
    assert plain_view("v1agra").shape == plain_view("viagra").shape
    assert plain_view("b1ack").shape == plain_view("black").shape


def test_symbols_are_letters_in_a_second_reading_only() -> None:
    shapes = [view.shape for view in views(Folded("$hit!"))]
    assert shapes == ["  hit  ", " shit  "]


def test_single_letters_join_but_words_do_not() -> None:
    assert " viagra " in _shapes("v i a g r a")
    assert " viagra " in _shapes("v.i-a_g r.a")
    assert " fuck you " in _shapes("f u c k   y o u")
    assert _shapes("push it, smart watch") == " push it  smart watch "


def test_a_word_split_by_punctuation_joins_whole() -> None:
    assert " viagra " in _shapes("via-gra")
    assert " nice grassat it " in _shapes("nice grass.At it")
    assert "grasson" not in _shapes("nice grass.On it")
    assert "cum" not in _shapes("5 cu.m")


def test_a_joined_word_keeps_what_is_around_it() -> None:
    assert " cheap viagra potion " in _shapes("cheap via-gra potion")
    assert " cheap viagra potion " in _shapes("cheap v i a g r a potion")


def test_ordinary_compounds_and_addresses_do_not_join() -> None:
    assert "strapon" not in _shapes("a strap-on heel guard, an add-on")
    assert "wwwexample" not in _shapes("www.example.com")


def _shapes(text: str) -> str:
    return "".join(view.shape for view in views(Folded(text)))


@settings(deadline=None)
@given(texts)
def test_every_letter_has_a_place_in_the_text(text: str) -> None:
    folded = Folded(text)
    places = [folded.place(index) for index in range(len(folded.letters) + 1)]
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] == len(text)


@settings(deadline=None)
@given(texts)
def test_every_reading_keeps_its_letters_beside_its_shape(text: str) -> None:
    for view in views(Folded(text)):
        assert len(view.shape) == len(view.letters)
        assert "\x01" not in view.shape
        for index in range(len(view.shape)):
            if view.shape[index] not in " \n":
                start, end = view.span(index, index + 1)
                assert 0 <= start <= end <= len(text)


@settings(deadline=None)
@given(texts)
def test_a_squeezed_shape_finds_its_way_back(text: str) -> None:
    for view in views(Folded(text)):
        for squeezed in (Squeezed(view.shape), Squeezed(view.shape, everything=True)):
            places = [squeezed.place(index) for index in range(len(squeezed.squeezed))]
            assert "".join(view.shape[place] for place in places) == squeezed.squeezed
            assert squeezed.place(len(squeezed.squeezed)) == len(view.shape)


@settings(deadline=None)
@given(st.text(st.sampled_from("abcXYZ 0123!@$.-\n"), max_size=60))
def test_the_ascii_path_and_the_general_path_agree(text: str) -> None:
    general = Folded(f"{text}é")
    assert general.letters[:-2] == Folded(text).letters[:-1]
    plain = next(views(general)).shape[:-2]
    assert plain == next(views(Folded(text))).shape[:-1]


def test_stretched_letters_are_noticed() -> None:
    assert len(list(squeezes(plain_view("ill will in good class")))) == 1
    assert len(list(squeezes(plain_view("goood class")))) == 2
    assert len(list(squeezes(plain_view("claaass")))) == 2
    assert len(list(squeezes(plain_view("killl")))) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        " ",
        "-",
        "*#",
        "a ",
        "a.",
        "!",
        "$1",
        "aé",
        "\ud800\x00",
        "三",
        "กี",
        "\u200b",
        "e\u0301",
        "🅰 ",
        "ﷺ",
    ],
)
def test_a_megabyte_of_anything_is_read_in_linear_time(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.thread_time()
        for view in views(Folded(text)):
            for squeezed in squeezes(view):
                squeezed.place(1)
        return time.thread_time() - began

    small, large = min(seconds(125_000) for _ in range(2)), seconds(1_000_000)
    assert large < 40 * small + 0.5  # eight times the text; quadratic would be 64 times
