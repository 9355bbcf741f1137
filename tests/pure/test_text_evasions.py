"""Ways to hide a word from rules while a reader still sees it, by kind."""

import pytest

from models.rules.matcher.matcher import Matcher, RuleSpec

WORDS = "viagra fuck cock dick kill sex shit whore lolita handjob lesbian rape".split()
PHRASES = ("western union", "blow job")
RULES = [
    *(RuleSpec(at, "word", word, "review", "other") for at, word in enumerate(WORDS)),
    *(RuleSpec(at, "phrase", phrase, "review", "other") for at, phrase in enumerate(PHRASES, 100)),
]
MATCHER = Matcher(RULES)
LONG_ROW = "thequickbrownfoxjumpsoverthelazydogandthentheslowbrownfoxjumpsoveritandbuysviagranow"

SEEN = {
    "direction override": [
        ("\u202eargaiv\u202c", "viagra", "argaiv"),
        ("so \u202ekcuf\nand", "fuck", "kcuf"),
        ("v\u202eai\u202cgra", "viagra", "v\u202eai\u202cgra"),
        ("v<bdo dir='rtl'>ai</bdo>gra", "viagra", "v<bdo dir='rtl'>ai</bdo>gra"),
        ("&#x202e;argaiv&#x202c;", "viagra", "argaiv"),
    ],
    "regional indicators": [
        ("🇻🇮🇦🇬🇷🇦", "viagra", "🇻🇮🇦🇬🇷🇦"),
        ("🇫 🇺 🇨 🇰", "fuck", "🇫 🇺 🇨 🇰"),
        ("🇫\u200c🇺\u200c🇨\u200c🇰", "fuck", "🇫\u200c🇺\u200c🇨\u200c🇰"),
        ("fu🇨🇰", "fuck", "fu🇨🇰"),
    ],
    "HTML": [
        ("v&#105;agra", "viagra", "v&#105;agra"),
        ("v&#x69;agra", "viagra", "v&#x69;agra"),
        ("f&uuml;ck", "fuck", "f&uuml;ck"),
        ("vi&shy;agra", "viagra", "vi&shy;agra"),
        ("vi&#173;agra", "viagra", "vi&#173;agra"),
        ("vi&ZeroWidthSpace;agra", "viagra", "vi&ZeroWidthSpace;agra"),
        ("vi<b>ag</b>ra", "viagra", "vi<b>ag</b>ra"),
        ('s<span class="x">e</span>x', "sex", 's<span class="x">e</span>x'),
        ("vi<!-- -->agra", "viagra", "vi<!-- -->agra"),
        ("western&nbsp;union", "western union", "western&nbsp;union"),
        ("<i>western</i> union", "western union", "western</i> union"),
    ],
    "Markdown": [
        ("[via](http://x.example)gra", "viagra", "via](http://x.example)gra"),
        ("vi[ag][1]ra", "viagra", "vi[ag][1]ra"),
        ("vi**ag**ra", "viagra", "vi**ag**ra"),
        ("vi__ag__ra", "viagra", "vi__ag__ra"),
        ("vi~~ag~~ra", "viagra", "vi~~ag~~ra"),
        ("vi`ag`ra", "viagra", "vi`ag`ra"),
        (r"vi\agra", "viagra", r"vi\agra"),
        ("**blow** **job**", "blow job", "blow** **job"),
    ],
    "look-alikes of rarer scripts": [
        ("ꜱʜɪᴛ", "shit", "ꜱʜɪᴛ"),
        ("ꭱꭺꮲꭼ", "rape", "ꭱꭺꮲꭼ"),
        ("ϝuck ϜUCK", "fuck", "ϜUCK"),
        ("fu\u03f2k", "fuck", "fu\u03f2k"),
        ("FU\u03f9K", "fuck", "FU\u03f9K"),
        ("c🯰ck", "cock", "c🯰ck"),
        ("ᖴᑌᑕK", "fuck", "ᖴᑌᑕK"),
        ("ꓝꓴꓚꓗ", "fuck", "ꓝꓴꓚꓗ"),
        ("ⲥⲟⲥk", "cock", "ⲥⲟⲥk"),
        ("©ock", "cock", "©ock"),
    ],
    "emoji": [
        ("vi😀agra", "viagra", "vi😀agra"),
        ("s❤️ex", "sex", "s❤️ex"),
        ("f🤬ck", "fuck", "f🤬ck"),
        ("blow👍🏽job", "blow job", "blow👍🏽job"),
        ("western 🐎 union", "western union", "western 🐎 union"),
    ],
    "line breaks": [
        ("oh fu\nck", "fuck", "fu\nck"),
        ("oh fu\r\nck", "fuck", "fu\r\nck"),
        ("é fu\nck", "fuck", "fu\nck"),
        ("via-\n  gra", "viagra", "via-\n  gra"),
        ("fu<br>ck", "fuck", "fu<br>ck"),
        ("f\nu\nc\nk", "fuck", "f\nu\nc\nk"),
    ],
    "rows of letters": [
        (" ".join("buycheapviagra"), "viagra", "v i a g r a"),
        (" ".join(LONG_ROW), "viagra", "v i a g r a"),
        (f"{' '.join('buyviagra')}  {' '.join(LONG_ROW[:-10])}", "viagra", "v i a g r a"),
        ("-".join(LONG_ROW), "viagra", "v-i-a-g-r-a"),
    ],
    "capital I": [
        ("kIIl", "kill", "kIIl"),
        ("kiII", "kill", "kiII"),
        ("a IoIita", "lolita", "IoIita"),
        ("Iesbian", "lesbian", "Iesbian"),
        ("é kIIl", "kill", "kIIl"),
    ],
    "masked letters": [
        ("western un*on", "western union", "western un*on"),
        ("w*stern un*on", "western union", "w*stern un*on"),
        ("western u**on", "western union", "western u**on"),
        ("fuc* off", "fuck", "fuc*"),
        ("fuc*, he said", "fuck", "fuc*"),
        ("a *hore", "whore", "*hore"),
    ],
}


@pytest.mark.parametrize(
    ("text", "pattern", "marked"),
    [case for cases in SEEN.values() for case in cases],
    ids=[f"{kind} {at}" for kind, cases in SEEN.items() for at, _ in enumerate(cases)],
)
def test_a_hidden_word_is_seen(text: str, pattern: str, marked: str) -> None:
    found = MATCHER.find(text)
    assert (pattern, marked) in [(match.rule.pattern, match.text) for match in found]
    assert all(text[match.start : match.end] == match.text for match in found)


@pytest.mark.parametrize(
    "text",
    [
        "flags 🇺🇸🇬🇧 and 🇫🇷, 🇩🇰",
        "Q&A, R&B, AT&T, a<b and c>d, [1] [2](3)",
        "<p>a good second hand</p><p>job</p>",
        "wash your hand\njob offers",
        "a hand[1] job[2]",
        "rap* music (*see below), *hit* single, *Terms and whores*"[:44],
        "T H E R A P I S T S",
        "I In It Ian Iowa WiII",
        "שלום \u202d123\u202c",
        "ꮣꮃꭹ ꮝꭺꮲꭼ",
        "❤️ I ❤️ NY 🎉🎉",
    ],
)
def test_ordinary_markup_hides_nothing(text: str) -> None:
    assert [match.rule.pattern for match in MATCHER.find(text)] == []


def test_a_domain_in_markup_is_seen_as_stored_and_as_displayed() -> None:
    matcher = Matcher([RuleSpec(1, "domain", "evil.com", "review", "other")])
    for text in ("[here](http://evil.com/x)", '<a href="//evil.com">x</a>', "ev<b>il</b>.com"):
        assert [match.rule.id for match in matcher.find(text)] == [1], text


def test_a_regex_reads_the_displayed_text_too() -> None:
    matcher = Matcher([RuleSpec(1, "regex", r"call \d{4}", "review", "other")])
    assert [match.text for match in matcher.find("call <b>12</b>34")] == ["call <b>12</b>34"]
