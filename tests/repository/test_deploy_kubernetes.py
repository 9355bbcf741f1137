"""The manifests of deploy/kubernetes are valid by Kubernetes' and KEDA's own schemas, and tight."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject, TriggerAuthentication

from models.settings import ROOT, Settings
from tests.support.deploy import DEPLOY, MANIFESTS, documents, named, pods

KUBERNETES = "1.33"
KEDA = {"ScaledObject": ScaledObject, "TriggerAuthentication": TriggerAuthentication}


@pytest.mark.parametrize("document", documents(base=False), ids=named)
def test_it_is_valid(document: dict[str, Any]) -> None:
    if document["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(document, strict(KEDA[document["kind"]].model_json_schema()))
    else:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_a_word_that_is_not_in_the_schema_is_found() -> None:
    document = next(d for d in documents() if d["kind"] == "ScaledObject")
    document["spec"]["maxReplicas"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, strict(ScaledObject.model_json_schema()))


def test_everything_is_applied() -> None:
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text())
    files = {path.name for path in MANIFESTS} - {"kustomization.yaml", "secret.example.yaml"}
    assert set(listed["resources"]) == files


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda it: it if isinstance(it, str) else "")
def test_no_pod_may_more_than_it_must(name: str, pod: dict[str, Any]) -> None:
    context = pod["securityContext"]
    assert context["runAsNonRoot"] and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod.get("initContainers", ()), *pod["containers"]]:
        tight = container["securityContext"]
        assert tight["readOnlyRootFilesystem"] and not tight["allowPrivilegeEscalation"]
        assert tight["capabilities"] == {"drop": ["ALL"]}
        assert {"limits", "requests"} == set(container["resources"])
    if name in ("Deployment/web", "Deployment/nginx"):
        assert "readinessProbe" in pod["containers"][0]
    if name.startswith("Deployment/"):
        assert "livenessProbe" in pod["containers"][0]


def test_what_listens_for_prometheus_can_be_reached_by_it_and_is_probed_there() -> None:
    config = next(d for d in documents() if d["kind"] == "ConfigMap")["data"]
    port = int(config["METRICS_LISTEN"].rpartition(":")[2])
    policy = next(d for d in documents() if named(d) == "NetworkPolicy/metrics")["spec"]
    [rule] = policy["ingress"]
    assert [each["port"] for each in rule["ports"]] == [port]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    ]
    [expression] = policy["podSelector"]["matchExpressions"]
    own_port = {"web", "nginx", "migrate"}
    assert set(expression["values"]) == {name.partition("/")[2] for name, _ in pods()} - own_port
    for name, pod in pods():
        if name.partition("/")[2] in expression["values"]:
            [container] = pod["containers"]
            assert {"name": "metrics", "containerPort": port} in container["ports"]
            for probe in ("livenessProbe", "startupProbe"):
                assert container[probe]["httpGet"] == {"path": "/healthz", "port": "metrics"}


def test_what_points_at_pods_finds_them() -> None:
    labels = [
        d["spec"]["template"]["metadata"]["labels"]
        for d in documents()
        if "template" in d.get("spec", {})
    ]
    for document in documents():
        spec = document.get("spec", {})
        wanted = spec.get("podSelector", spec.get("selector", {}))
        wanted = wanted.get("matchLabels", wanted) if "template" not in spec else {}
        assert any(wanted.items() <= one.items() for one in labels), named(document)


def test_keda_scales_as_our_own_autoscaler_does() -> None:
    spec = next(d for d in documents() if d["kind"] == "ScaledObject")["spec"]
    config = next(d for d in documents() if d["kind"] == "ConfigMap")["data"]
    told, ours = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"], Settings()
    assert told["scaleDown"]["stabilizationWindowSeconds"] == ours.scale_down_cooldown
    assert spec["cooldownPeriod"] == ours.scale_down_cooldown
    assert {p["periodSeconds"] for p in told["scaleUp"]["policies"]} == {ours.scale_up_cooldown}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (
        int(config["MIN_WORKERS"]),
        int(config["MAX_WORKERS"]),
    )
    target = next(d for d in documents() if named(d) == "Deployment/worker")
    assert "replicas" not in target["spec"], "an update would undo what KEDA chose"


def test_the_overlay_of_the_docs_can_be_built(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl") or pytest.skip("no kubectl here")
    page = (ROOT / "docs" / "deploy.md").read_text()
    overlay = re.search(r"```yaml\n(resources: .*?)```", page, re.S)[1]
    shutil.copytree(DEPLOY / "kubernetes", tmp_path / "sluice" / "deploy" / "kubernetes")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "kustomization.yaml").write_text(overlay)
    done = subprocess.run(
        [kubectl, "kustomize", tmp_path / "ours"], capture_output=True, text=True, check=True
    )
    assert "PUBLIC_URL: https://moderation.internal" in done.stdout
    images = set(re.findall(r"image: (\S+)", done.stdout))
    assert images == {"registry.internal/sluice:7"}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of KEDA's resource that refuses words it does not know, as the server does."""
    for part in [schema, *schema["$defs"].values()]:
        if "properties" in part:
            part["additionalProperties"] = False
    return schema
