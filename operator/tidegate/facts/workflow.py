"""A raw Workflow, trimmed to its fact."""

from tidegate import constants as c
from tidegate.api.identity import WorkflowKey
from tidegate.facts import raw as read
from tidegate.facts.model import WorkflowFact


def workflow_fact(raw: read.Raw) -> WorkflowFact:
    """The fact of a Workflow; what is missing becomes empty, as nothing is validated here."""
    metadata = read.mapping(raw.get("metadata"))
    return WorkflowFact(
        key=WorkflowKey(read.text(metadata.get("namespace")), read.text(metadata.get("name"))),
        uid=read.text(metadata.get("uid")),
        generation=read.number(metadata.get("generation")) or 0,
        resource_version=read.text(metadata.get("resourceVersion")),
        created_at=read.time(metadata.get("creationTimestamp")) or read.EPOCH,
        deleting=read.text(metadata.get("deletionTimestamp")) != "",
        annotations={
            key: value
            for key, value in read.mapping(metadata.get("annotations")).items()
            if isinstance(value, str) and _is_ours(key)
        },
        restored=c.LABEL_RESTORED in read.mapping(metadata.get("labels")),
        spec=read.mapping(raw.get("spec")),
        status=read.mapping(raw.get("status")),
    )


def _is_ours(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    return slash != "" and (domain == c.GROUP or domain.endswith(f".{c.GROUP}"))
