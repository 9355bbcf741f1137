"""Detectors on real uploads: in shadow they decide nothing, on they decide by thresholds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.support.api import Api, eventually, unique
from tests.support.model_files import FOLDER, needs
from tests.support.policies import set_policy
from tests.support.stack import Stack, running

ON = {
    "DETECTOR_NSFW_MOBILENET": "shadow",
    "DETECTOR_TOXICITY": "shadow",
    "SYNC_TIMEOUT": "30",
    "DEDUPE_SHARED_TTL": "0",  # the fixtures look like each other; each is to be scored
}
SHADOW = (
    "SELECT evidence, label, action, score FROM finding"
    " WHERE submission_id = %s AND \"check\" = 'shadow' ORDER BY id"
)
DECISION = "SELECT to_verdict, reason FROM decision WHERE submission_id = %s"
EVIDENCE = "SELECT evidence FROM finding WHERE submission_id = %s AND \"check\" = 'classifier'"
INSULT = "You are an idiot and a stupid moron, shut up"


@pytest.fixture(scope="module")
def shadow() -> Iterator[Stack]:
    with running(**ON, DETECTOR_MODELS=str(FOLDER)) as stack:
        yield stack


@pytest.fixture(scope="module")
def its(shadow: Stack) -> Api:
    return client(shadow)


def client(stack: Stack) -> Api:
    return Api(stack.url, stack.json("client", "create", "Shadow", "--json")["key"])


def counted(stack: Stack, name: str) -> dict[str, float]:
    text = requests.get(stack.url + "/metrics", timeout=10).text
    lines = [line for line in text.splitlines() if line.startswith(name + "{")]
    return {line.partition("{")[2].partition("}")[0]: float(line.split()[-1]) for line in lines}


@needs("nsfw_mobilenet.onnx")
def test_a_rejection_stays_and_the_second_network_is_recorded(shadow: Stack, its: Api) -> None:
    told = its.decided("reject_a.jpg", title="Lamp")
    assert told["verdict"] == "rejected"
    assert [r["check"] for r in told["reasons"]] == ["classifier"]
    picture = [row for row in shadow.sql(SHADOW, told["job_id"]) if "porn" in row[0]["scores"]]
    [(evidence, label, action, score)] = picture
    assert (label, action, score) == ("neutral", "note", None)
    assert evidence["detector"] == "nsfw_mobilenet" and evidence["version"]
    assert sum(evidence["scores"].values()) == pytest.approx(1, abs=0.001)
    assert (evidence["would"], evidence["agreement"]) == ("review", "first")
    assert shadow.sql(DECISION, told["job_id"]) == [("rejected", "nudity")]


@needs("nsfw_mobilenet.onnx")
def test_it_is_not_asked_about_what_the_first_network_approves(shadow: Stack, its: Api) -> None:
    told = its.decided(unique("safe_rocket.jpg"))
    assert told["verdict"] == "approved"
    assert shadow.sql(SHADOW, told["job_id"]) == []


@needs("nsfw_mobilenet.onnx")
def test_the_worst_frames_of_an_animation_are_asked_about(shadow: Stack, its: Api) -> None:
    told = its.decided("animated_bad_frame_17.gif")
    assert told["verdict"] == "review"
    [(evidence, *_)] = shadow.sql(SHADOW, told["job_id"])
    assert 17 in evidence["views"] and len(evidence["views"]) <= 8


@needs("toxicity.npy")
def test_a_toxic_text_is_recorded_and_approved(shadow: Stack, its: Api) -> None:
    told = its.decided(title="Hello", description=INSULT)
    assert (told["verdict"], told["reasons"]) == ("approved", [])
    [(evidence, label, action, score)] = shadow.sql(SHADOW, told["job_id"])
    assert (label, action, score) == ("toxicity", "note", None)
    assert evidence["scores"]["toxicity"] > 0.9 and evidence["would"] == "review"
    assert "idiot" in evidence["words"]
    assert shadow.sql(DECISION, told["job_id"]) == [("approved", "")]
    flags = counted(shadow, "sluice_detector_flags_total")
    assert flags['detector="toxicity",label="toxicity"'] >= 1


@needs("toxicity.npy")
def test_a_friendly_text_is_recorded_too(shadow: Stack, its: Api) -> None:
    told = its.decided(title="Bicycle", description="A green bicycle, hardly used")
    [(evidence, *_)] = shadow.sql(SHADOW, told["job_id"])
    assert evidence["would"] == "note"


def test_off_asks_nobody(stack: Stack, api: Api) -> None:
    told = api.decided("reject_b.jpg", title=INSULT)
    assert stack.sql(SHADOW, told["job_id"]) == []
    assert set(counted(stack, "sluice_detector_calls_total").values()) == {0.0}


def test_without_their_files_uploads_are_moderated_as_before() -> None:
    with running(**ON) as stack:
        api = client(stack)
        assert api.decided("reject_a.jpg", title="Lamp")["verdict"] == "rejected"
        assert api.decided(title="Lamp", description=INSULT)["verdict"] == "approved"
        failures = counted(stack, "sluice_detector_failures_total")
        for name in ("toxicity", "nsfw_mobilenet"):
            assert failures[f'detector="{name}",reason="down"'] >= 1
        log = "".join(path.read_text() for path in stack.home.glob("log/*_*.log"))
        assert "toxicity.npy is missing. Run scripts/vendor detectors toxicity." in log


@pytest.fixture(scope="module")
def live() -> Iterator[Stack]:
    """Both detectors are on, and asked about every picture."""
    on = dict.fromkeys(("DETECTOR_NSFW_MOBILENET", "DETECTOR_TOXICITY"), "on")
    more = {"DETECTOR_NSFW_MOBILENET_ASKED": "all", "DETECTOR_MODELS": str(FOLDER)}
    with running(**{**ON, **on, **more}) as stack:
        yield stack


@needs("toxicity.npy")
def test_a_detector_that_is_on_decides_by_the_policys_thresholds(live: Stack) -> None:
    name = "Thresholds"
    its = Api(live.url, live.json("client", "create", name, "--json")["key"])
    told = its.decided(title="Hello", description=INSULT)
    assert (told["verdict"], told["flagged"]) == ("approved", []), "no thresholds decide nothing"
    assert told["scores"]["toxicity"] > 0.9
    set_policy(live, name, labels={"toxicity": {"review_at": 0.5, "reject_at": None}})
    told = eventually(
        lambda: t if (t := its.decided(description=INSULT))["verdict"] == "review" else None
    )
    [reason] = told["reasons"]
    assert (reason["check"], reason["label"]) == ("detector", "toxicity")
    assert told["flagged"] == ["toxicity"] and reason["score"] > 0.9
    assert reason["author_text"] == "It insults or humiliates somebody."
    friendly = its.decided(title="Bicycle", description="A green bicycle, hardly used")
    assert friendly["verdict"] == "approved" and friendly["scores"]["toxicity"] < 0.5


@needs("nsfw_mobilenet.onnx")
def test_a_picture_is_scored_by_the_second_network_also_when_its_bytes_are_known(
    live: Stack,
) -> None:
    name = "Pictures"
    its = Api(live.url, live.json("client", "create", name, "--json")["key"])
    picture = unique("safe_rocket.jpg")
    first = its.decided(picture)
    assert {"nudity", "sexual", "suggestive", "drawn_sexual"} == set(first["scores"])
    set_policy(live, name, labels={"suggestive": {"review_at": 0.0}})
    told = eventually(lambda: t if (t := its.decided(picture))["verdict"] == "review" else None)
    assert told["flagged"] == ["suggestive"]
    assert "reused" in str(live.sql(EVIDENCE, told["job_id"])), "the network's score was known"
