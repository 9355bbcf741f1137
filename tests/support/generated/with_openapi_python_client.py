"""Sends a text and a picture by a client that openapi-python-client made: URL, key, picture.

Runs in a process of its own, whose path has the folder of the package ``sluice_client``.
"""

import json
import sys
from pathlib import Path

from sluice_client import AuthenticatedClient
from sluice_client.api.default import detect, status, submit, submit_image, submit_text
from sluice_client.models import Decided, Pictures, TextForm, TextUpload, Upload
from sluice_client.types import File

url, key, path = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)


def picture() -> File:
    return File(Path(path).open("rb"), "rocket.jpg", "image/jpeg")


bodies = {
    "form": TextForm(user_id="anna", title="Garden chairs"),
    "text by form": Upload(user_id="anna", title="Garden chairs", user_ip="192.0.2.7"),
    "pictures": Upload(user_id="anna", title="Gartenstühle", images=[picture(), picture()]),
}
replies = {name: submit.sync(client=client, body=body) for name, body in bodies.items()}
text = TextUpload(user_id="anna", title="Garden chairs")
replies["text"] = submit_text.sync(client=client, body=text)
replies["picture as body"] = submit_image.sync(
    client=client, body=picture(), user_id="anna", title="Gartenstühle"
)
verdicts = {}
for name, reply in replies.items():
    decided = status.sync(reply.job_id, client=client, wait=25)
    assert isinstance(decided, Decided) and decided.decided_at > decided.received_at
    verdicts[name] = decided.verdict.value
[detection] = detect.sync(client=client, body=Pictures(images=[picture()]))
refused = submit_text.sync(client=client, body=TextUpload(user_id="anna"))
print(json.dumps({"verdicts": verdicts, "score": detection.score, "refused": refused.status}))
