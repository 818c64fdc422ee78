"""What holds for whatever the chart renders, with whatever values. Each function is given the objects and yields what is wrong."""

import functools
import json
import re

import kubernetes_validate.utils

from support import LOGS, PROCESS_GRACE, ROLES, SLOWEST_CALL, matches, of_kind, pods, settings_map, settings_of, unknown_settings, unknown_variables

# Kubernetes' own kinds are checked against its schema; these are others' definitions. Whatever is not here is not to be rendered: no Job
# for a command that does not exist.
OTHERS = {"Cluster": "postgresql.cnpg.io/v1", "ScaledObject": "keda.sh/v1alpha1", "HTTPRoute": "gateway.networking.k8s.io/v1",
          "GRPCRoute": "gateway.networking.k8s.io/v1", "PodMonitor": "monitoring.coreos.com/v1", "PrometheusRule": "monitoring.coreos.com/v1"}
KINDS = {"ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Ingress", "NetworkPolicy", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget",
         "Service", "ServiceAccount", "StatefulSet"}
# The oldest that the chart allows, and a newer one.
VERSIONS = ["1.30", "1.33"]
# The library reads its schemas anew for each object, which takes longer than all the rest.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)
kubernetes_validate.utils.all_versions = functools.cache(kubernetes_validate.utils.all_versions)
PINNED = re.compile(r"(:(?!latest)[\w][\w.-]*|@sha256:[0-9a-f]{64})$")


@functools.cache
def problems_of(text):
    """Of one of Kubernetes' own objects, as JSON: most are the same in most renderings, and looking takes a while."""
    one, found = json.loads(text), []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
            found.append(f"{one['kind']}/{one['metadata']['name']} on {version}: {error}")
    return found


def kubernetes_takes_it(rendered):
    for one in rendered:
        if one["kind"] in OTHERS:
            if one["apiVersion"] != OTHERS[one["kind"]]:
                yield f"{one['kind']} of {one['apiVersion']}"
        elif one["kind"] not in KINDS:
            yield f"a {one['kind']} is not expected"
        else:
            yield from problems_of(json.dumps(one, sort_keys=True))


def names_are_unique_and_short(rendered):
    seen = set()
    for one in rendered:
        name = one["metadata"]["name"]
        if (one["kind"], name) in seen:
            yield f"twice: {one['kind']}/{name}"
        seen.add((one["kind"], name))
        if len(name) > 63 or not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name):
            yield f"no name: {name}"


def pods_are_locked_down(rendered):
    for name, _, spec in pods(rendered):
        pod = spec.get("securityContext", {})
        if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser") or pod.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: security context {pod}"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: mounts a token"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name}: Kubernetes' own variables would be taken for settings"
        if any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")) or any("hostPath" in volume for volume in spec["volumes"]):
            yield f"{name}: reaches into its node"
        for one in spec["containers"] + spec.get("initContainers", []):
            context = one.get("securityContext", {})
            if context != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}:
                yield f"{name}, {one['name']}: security context {context}"
            if not PINNED.search(one["image"]):
                yield f"{name}, {one['name']}: image {one['image']} is not pinned"
            if not one.get("resources", {}).get("requests") or not one["resources"].get("limits", {}).get("memory"):
                yield f"{name}, {one['name']}: resources {one.get('resources')}"


def probes_and_drain(rendered):
    for one in of_kind(rendered, "Deployment", "StatefulSet"):
        spec = one["spec"]["template"]["spec"]
        [container] = spec["containers"]
        name = one["metadata"]["name"]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            ask = container.get(probe, {})
            if "grpc" in ask:
                right = ask["grpc"] == {"port": ports.get("grpc")}
            else:
                # Liveness and readiness ask nobody else: with one service away the pages of the others work.
                paths = ["/readyz"] if probe == "startupProbe" and one["kind"] == "StatefulSet" else ["/healthz"]
                right = ask.get("httpGet", {}).get("path") in paths and ask["httpGet"]["port"] in ports
            if not right:
                yield f"{name}: {probe} {ask}"
        grace = spec["terminationGracePeriodSeconds"]
        drain = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if grace < drain + PROCESS_GRACE + 5:
            yield f"{name}: killed after {grace} s, while it may drain {drain} s and finish {PROCESS_GRACE} s"
        if one["kind"] == "Deployment" and drain + PROCESS_GRACE <= SLOWEST_CALL:
            yield f"{name}: drains {drain} + {PROCESS_GRACE} s, and a call may take {SLOWEST_CALL} s"
        if container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] < 60:
            yield f"{name}: too little time to start"


def replicas_or_autoscaler(rendered):
    scaled = [one["spec"]["scaleTargetRef"]["name"] for one in of_kind(rendered, "HorizontalPodAutoscaler", "ScaledObject")]
    if len(scaled) != len(set(scaled)):
        yield f"two autoscalers: {scaled}"
    deployments = {one["metadata"]["name"]: one["spec"] for one in of_kind(rendered, "Deployment")}
    for name in scaled:
        if name not in deployments:
            yield f"nothing to scale: {name}"
    for name, spec in deployments.items():
        if ("replicas" in spec) == (name in scaled):
            yield f"{name}: replicas {spec.get('replicas')} {'beside' if name in scaled else 'without'} an autoscaler"


def everything_is_found(rendered):
    """Selectors find pods, ports are open, routes lead to Services, claims and settings exist."""
    running = list(pods(rendered))
    labels = [metadata.get("labels", {}) for _, metadata, _ in running]
    services = {}
    for one in of_kind(rendered, "Deployment", "StatefulSet"):
        if not matches(one["spec"]["selector"], one["spec"]["template"]["metadata"]["labels"]):
            yield f"{one['metadata']['name']} does not find its own pods"
    for one in of_kind(rendered, "Service"):
        found = [spec for (_, metadata, spec) in running if matches({"matchLabels": one["spec"]["selector"]}, metadata["labels"])]
        services[one["metadata"]["name"]] = {port["name"]: port["port"] for port in one["spec"]["ports"]}
        if len(found) != 1:
            yield f"Service {one['metadata']['name']} finds {len(found)} kinds of pods"
            continue
        opened = {port["name"] for port in found[0]["containers"][0]["ports"]}
        if not {port["targetPort"] for port in one["spec"]["ports"]} <= opened:
            yield f"Service {one['metadata']['name']}: a port that is not open"
    for one in of_kind(rendered, "PodDisruptionBudget"):
        if sum(matches(one["spec"]["selector"], some) for some in labels) != 1:
            yield f"budget {one['metadata']['name']} finds other pods than its own"
        # Neither a single replica nor one that is broken may hold up the draining of its node.
        if one["spec"].get("maxUnavailable") != 1 or one["spec"].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
            yield f"budget {one['metadata']['name']}: {one['spec']}"
    if len(of_kind(rendered, "PodDisruptionBudget")) != len(of_kind(rendered, "Deployment")):
        yield "a Deployment without a disruption budget"
    for one in of_kind(rendered, "Ingress"):
        for rule in one["spec"]["rules"]:
            backend = rule["http"]["paths"][0]["backend"]["service"]
            if backend["port"]["name"] not in services.get(backend["name"], {}):
                yield f"Ingress {rule['host']} leads to {backend}"
            if rule["host"] not in one["spec"]["tls"][0]["hosts"]:
                yield f"Ingress {rule['host']} without TLS"
    for one in of_kind(rendered, "HTTPRoute", "GRPCRoute"):
        [backend] = one["spec"]["rules"][0]["backendRefs"]
        if backend["port"] not in services.get(backend["name"], {}).values():
            yield f"{one['kind']} leads to {backend}"
        if not one["spec"]["hostnames"][0]:
            yield f"{one['kind']} without a host name"
    for one in of_kind(rendered, "PodMonitor"):
        [endpoint] = one["spec"]["podMetricsEndpoints"]
        for name, metadata, spec in running:
            ports = [port["name"] for port in spec["containers"][0].get("ports", [])]
            if ports and (endpoint["port"] not in ports or not matches(one["spec"]["selector"], metadata["labels"])):
                yield f"{name} is not monitored"
    claims = {one["metadata"]["name"] for one in of_kind(rendered, "PersistentVolumeClaim")} | {"given"}
    for name, _, spec in running:
        for volume in spec["volumes"]:
            if volume.get("persistentVolumeClaim", {}).get("claimName", "given") not in claims:
                yield f"{name}: no claim {volume}"
            if "configMap" in volume and volume["name"] == "settings" and volume["configMap"]["name"] != settings_map(rendered)["metadata"]["name"]:
                yield f"{name}: no settings {volume}"
        named = {volume["name"] for volume in spec["volumes"]}
        for one in spec["containers"]:
            named_here = {mount["name"] for mount in one["volumeMounts"]}
            claimed = {"data"} if name.startswith("StatefulSet") else set()
            if not named_here <= named | claimed:
                yield f"{name}: mounts {named_here - named}"


def settings_are_known(rendered):
    settings = settings_of(rendered)
    yield from (f"no setting: {name}" for name in unknown_settings(settings))
    services = {one["metadata"]["name"] for one in of_kind(rendered, "Service")}
    peers = settings.get("peers", {})
    if of_kind(rendered, "Deployment") and sorted(peers) != sorted(LOGS):
        yield f"peers {sorted(peers)}"
    for address in peers.values():
        if not re.fullmatch(r"http://([a-z0-9-]+):8081", address) or address[7:-5] not in services:
            yield f"no peer at {address}"
    for name, _, spec in pods(rendered):
        for one in spec["containers"]:
            variables = [variable["name"] for variable in one["env"]]
            yield from (f"{name}: no setting {variable}" for variable in unknown_variables(variables))
            if len(variables) != len(set(variables)):
                yield f"{name}: twice in {variables}"
    roles = [one["args"][1] for _, _, spec in pods(rendered) for one in spec["containers"] if one["args"][0] == "serve"]
    if roles and sorted(roles) != sorted(ROLES):
        yield f"roles {roles}"


def secrets_stay_secret(rendered):
    for one in rendered:
        if one["kind"] == "Secret":
            yield "the chart makes no Secrets: they would lie in the release"
    for key in ("secret", "store", "smtp", "cache", "bus", "demo", "failpoint"):
        if key in settings_of(rendered):
            yield f"{key} in a ConfigMap"
    if re.search(r"://[^/\s\"]*@", json.dumps(of_kind(rendered, "ConfigMap"))):
        yield "a login in a ConfigMap"
    for name, _, spec in pods(rendered):
        for one in spec["containers"]:
            for variable in one["env"]:
                if "@" in variable.get("value", ""):
                    yield f"{name}: a login in {variable['name']}"
                if variable["name"] in ("SAMTAL_SECRET", "SAMTAL_STORE") and "secretKeyRef" not in variable.get("valueFrom", {}):
                    yield f"{name}: {variable['name']} is no secret"
            if any("SECRET" in argument or "://" in argument and "@" in argument for argument in one["args"]):
                yield f"{name}: a secret on a command line"


def nothing_in_or_out_but_what_is_meant(rendered):
    policies = of_kind(rendered, "NetworkPolicy")
    if not policies:
        return
    [deny] = [one for one in policies if one["metadata"]["name"].endswith("-default-deny")]
    if set(deny["spec"]) - {"podSelector", "policyTypes"} or sorted(deny["spec"]["policyTypes"]) != ["Egress", "Ingress"]:
        yield f"default-deny allows something: {deny['spec']}"
    for name, metadata, spec in pods(rendered):
        if not matches(deny["spec"]["podSelector"], metadata["labels"]):
            yield f"{name} is left open"
        allowed = [one["spec"] for one in policies if matches(one["spec"]["podSelector"], metadata["labels"])]
        opened = {port["port"] for one in allowed for rule in one.get("ingress", []) for port in rule["ports"]}
        wanted = {port["containerPort"] for port in spec["containers"][0].get("ports", [])}
        if opened != wanted:
            yield f"{name}: open {opened}, listens on {wanted}"
    for one in policies:
        for rule in one["spec"].get("ingress", []):
            if not rule.get("from") and rule["ports"] != [{"port": 8080, "protocol": "TCP"}]:
                yield f"{one['metadata']['name']}: open to everybody"
        for rule in one["spec"].get("egress", []):
            if not rule.get("ports"):
                yield f"{one['metadata']['name']}: out on every port"


ALL = [kubernetes_takes_it, names_are_unique_and_short, pods_are_locked_down, probes_and_drain, replicas_or_autoscaler, everything_is_found,
       settings_are_known, secrets_stay_secret, nothing_in_or_out_but_what_is_meant]


def wrong(rendered):
    return [f"{check.__name__}: {problem}" for check in ALL for problem in check(rendered)]
