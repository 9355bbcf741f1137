"""The schemas of requests: what they say of addresses is what Python's own parser says."""

from __future__ import annotations

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.settings import Settings
from webapp.api import request_bodies

ADDRESS = re.compile(request_bodies.texts()["user_ip"]["pattern"], re.ASCII)
NEAR = st.text("0123456789abcdefF:.", max_size=40) | st.lists(
    st.sampled_from(["1", "ffff", "12345", "::", ":", "1.2.3.4", "256.1.1.1", "01.2.3.4"]),
    max_size=9,
).map(":".join)


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return text == ""
    return True


@given(st.ip_addresses().map(str) | NEAR)
def test_an_address_matches_its_pattern_and_nothing_else_does(text: str) -> None:
    assert bool(ADDRESS.match(text)) == is_address(text)


@pytest.mark.parametrize(
    "text",
    ["::", "::1", "1::", "1:2:3:4:5:6:7::", "::ffff:1.2.3.4", "1::2:3:4:5:6:7:8", "fe80::1%1"],
)
def test_addresses_at_the_edges(text: str) -> None:
    assert bool(ADDRESS.match(text)) == (is_address(text) and "%" not in text)


def test_bodies_are_plain_objects_for_generators() -> None:
    """Classes that generators make of ``anyOf`` or ``allOf`` cannot be sent as forms."""
    for name, schema in request_bodies.schemas(Settings.load({})).items():
        assert schema["type"] == "object", name
        for each in (schema, *schema["properties"].values()):
            assert not {"anyOf", "oneOf", "allOf"} & set(each), name
            assert "type" in each, name
