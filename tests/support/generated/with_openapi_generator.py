"""Sends a text and a picture by a client that openapi-generator made: URL, key, picture.

Runs in a process of its own, whose path has the folder of the package ``openapi_client``.
"""

import json
import sys
from pathlib import Path

import openapi_client
from openapi_client.models import Decided, DecisionEvent, TextUpload

url, key, path = sys.argv[1:]
settings = openapi_client.Configuration(host=url, access_token=key)
api = openapi_client.DefaultApi(openapi_client.ApiClient(settings))
picture = ("rocket.jpg", Path(path).read_bytes())

replies = {
    "text": api.submit_text(TextUpload(user_id="anna", title="Garden chairs")),
    "text by form": api.submit(user_id="anna", title="Garden chairs", user_ip="192.0.2.7"),
    "pictures": api.submit(user_id="anna", title="Gartenstühle", images=[picture, picture]),
    "picture as body": api.submit_image(user_id="anna", title="Gartenstühle", body=picture[1]),
}
verdicts = {}
for name, reply in replies.items():
    decided = api.status(reply.job_id, wait=25).actual_instance
    assert isinstance(decided, Decided) and decided.decided_at > decided.received_at
    verdicts[name] = decided.verdict.value
[detection] = api.detect(images=[picture])
try:
    api.submit(user_id="anna")
except openapi_client.ApiException as error:
    refused = error.status
event = {
    "type": "submission.decided",
    "timestamp": "2026-03-01T09:30:00+00:00",
    "data": {"job_id": replies["text"].job_id, "verdict": "approved", "visible": True},
}
assert DecisionEvent.from_dict(json.loads(json.dumps(event, default=str))).data.visible
print(json.dumps({"verdicts": verdicts, "score": detection.score, "refused": refused}))
