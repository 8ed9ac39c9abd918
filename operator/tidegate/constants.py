"""Names that are part of the interface: keys, labels, annotations and fixed numbers.

What stands here is read by users, policies and other versions of the operator; changing a value
is a breaking change. Tunable numbers are settings instead.
"""

from typing import Final

GROUP: Final = "tidegate.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "Workflow"
PLURAL: Final = "workflows"
SHORT_NAME: Final = "twf"

LABEL_WORKFLOW: Final = f"{GROUP}/workflow"
LABEL_NODE: Final = f"{GROUP}/node"
LABEL_RUN: Final = f"{GROUP}/run"
LABEL_ATTEMPT: Final = f"{GROUP}/attempt"
LABEL_STANDBY: Final = f"{GROUP}/standby"
LABEL_WORKFLOW_UID: Final = f"{GROUP}/workflow-uid"
"""On a log's ConfigMap: whose it is; one without it is never written."""
LABEL_JOB_UID: Final = "batch.kubernetes.io/controller-uid"
"""Set on every pod by the Job controller; names the Job even after owner references are gone."""
LABEL_RESTORED: Final = "velero.io/restore-name"
"""Set by Velero on every object that it restores."""

ANNOTATION_DEFINITION: Final = f"{GROUP}/definition"
ANNOTATION_END: Final = f"{GROUP}/end"
"""On a Job: the reason for which the operator ended this attempt."""
ANNOTATION_CANCEL: Final = f"{GROUP}/cancel"
ANNOTATION_RERUN: Final = f"{GROUP}/rerun"
ANNOTATION_LOG: Final = f"{GROUP}/log"
"""On a log's ConfigMap: which status of which run it tells of."""
ANNOTATION_AUTHOR: Final = f"{GROUP}/author"
"""On a Workflow: who wrote it last, where its checkpoints forbid authors to vote."""
ANNOTATION_VOTE: Final = f"checkpoint.{GROUP}/"
"""Begins the keys of votes; the node's name follows, and a tag where several vote."""
ANNOTATION_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
"""On a pod: the container that kubectl takes where none is named; otherwise it takes the first."""

MAIN_CONTAINER: Final = "main"

OUTPUT_VARIABLE: Final = "TIDEGATE_OUTPUT"
"""Names the file to which the container main writes its outputs: its termination message."""
TERMINATION_MESSAGE_PATH: Final = "/dev/termination-log"
"""Where that is, unless the container says otherwise."""

MAX_SPEC_BYTES: Final = 512 * 1024
MAX_OUTPUT_BYTES: Final = 4096
"""The kubelet cuts termination messages here."""
MAX_RUN_OUTPUT_BYTES: Final = 128 * 1024
MAX_STATUS_BYTES: Final = 384 * 1024
