"""What the dashboard shows, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field

SCOPE = 'job=~"$job"'
"""What every query selects by, for ``<scope>``."""
SPAN = "$__rate_interval"
"""Over which rates are taken, for ``<span>``."""
RED, AMBER = "red", "orange"


@dataclass(frozen=True)
class Panel:
    """One picture: queries by their legend."""

    title: str
    text: str
    """What it tells and what to look for."""
    unit: str
    queries: dict[str, str]
    kind: str = "timeseries"
    stacked: bool = False
    thresholds: dict[float, str] = field(default_factory=dict)
    """From which value on a stat has which colour; below the first it is green."""

    @property
    def expressions(self) -> dict[str, str]:
        """The queries as Grafana has them, with its variables in them."""
        return {
            legend: query.replace("<scope>", SCOPE).replace("<span>", SPAN)
            for legend, query in self.queries.items()
        }


def quantiles(metric: str, by: str = "", shares: tuple[float, ...] = (0.5, 0.95)) -> dict[str, str]:
    """Queries of a histogram's quantiles, by a label if one is named."""
    legend = "{{" + by + "}} " if by else ""
    group = f"le, {by}" if by else "le"
    return {
        f"{legend}p{share * 100:g}": f"histogram_quantile({share:g}, sum by ({group}) "
        f"(rate(tidegate_{metric}_bucket{{<scope>}}[<span>])))"
        for share in shares
    }


def rate(metric: str, *by: str, legend: str = "", where: str = "") -> dict[str, str]:
    """A query of how often something happens in a second, by labels."""
    legend = legend or " ".join("{{" + label + "}}" for label in by)
    group = f" by ({', '.join(by)}) " if by else ""
    return {legend: f"sum{group}(rate(tidegate_{metric}{{<scope>{where}}}[<span>]))"}


def count(metric: str, *by: str, legend: str = "") -> dict[str, str]:
    """A query of how often something happened in the span, by labels."""
    return {
        name: query.replace("(rate(", "(increase(")
        for name, query in rate(metric, *by, legend=legend).items()
    }


def stat(
    title: str,
    text: str,
    query: str,
    unit: str = "none",
    thresholds: dict[float, str] | None = None,
) -> Panel:
    """One number."""
    legend = "{{version}}" if "by (version)" in query else title
    return Panel(title, text, unit, {legend: query}, "stat", thresholds=thresholds or {})


NOW = (
    stat(
        "Leader",
        "1: a replica is at work. 0 or nothing: no Workflow moves.",
        "max(tidegate_leader{<scope>}) or vector(0)",
        thresholds={0: RED, 1: "green"},
    ),
    stat(
        "Running",
        "Runs under way.",
        'sum(tidegate_workflows{<scope>, phase="Running"}) or vector(0)',
    ),
    stat(
        "Open checkpoints",
        "Checkpoints that wait for a decision.",
        "sum(tidegate_checkpoints_waiting{<scope>})",
    ),
    stat(
        "Oldest checkpoint",
        "For how long the oldest open checkpoint has waited.",
        "max(tidegate_checkpoint_oldest_wait_seconds{<scope>})",
        "s",
        {4 * 3600: AMBER, 24 * 3600: RED},
    ),
    stat(
        "Longest standstill",
        "For how long a run has had neither a running pod nor a change.",
        "max(tidegate_workflow_longest_idle_seconds{<scope>})",
        "s",
        {600: AMBER, 1800: RED},
    ),
    stat(
        "Failed in 24 h",
        "Runs that failed within the last day.",
        'sum(increase(tidegate_workflows_finished_total{<scope>, result="Failed"}[24h]))'
        " or vector(0)",
    ),
    stat(
        "Version",
        "Of the replicas that are scraped.",
        "count by (version) (tidegate_build_info{<scope>})",
    ),
)

WORKFLOWS = (
    Panel(
        "Workflows by phase",
        "All that exist, as the leader counts them.",
        "none",
        {"{{phase}}": "sum by (phase) (tidegate_workflows{<scope>})"},
        stacked=True,
    ),
    Panel(
        "Runs that began and ended",
        "By result.",
        "none",
        count("workflows_started_total", legend="began")
        | count("workflows_finished_total", "result"),
    ),
    Panel(
        "Failures by namespace",
        "Where runs fail; Workflows' namespaces if the scrape honours labels.",
        "none",
        {
            "{{namespace}}": "sum by (namespace) (increase("
            'tidegate_workflows_finished_total{<scope>, result="Failed"}[<span>]))'
        },
    ),
    Panel("Duration of runs", "By result.", "s", quantiles("workflow_duration_seconds", "result")),
)

NODES = (
    Panel(
        "Attempts that ended",
        "By result and reason.",
        "none",
        count("node_attempts_total", "result", "reason"),
        stacked=True,
    ),
    Panel(
        "Retries, fallbacks, waves",
        "Retries and fallbacks rise before runs fail.",
        "none",
        count("node_retries_total", legend="retries")
        | count("node_fallbacks_total", "result", legend="fallback {{result}}")
        | count("waves_total", legend="waves"),
    ),
    Panel("Duration of nodes", "By result.", "s", quantiles("node_duration_seconds", "result")),
)

CHECKPOINTS = (
    Panel(
        "Decisions",
        "By what was decided, by people or by a time-out.",
        "none",
        count("checkpoint_decisions_total", "decision"),
        stacked=True,
    ),
    Panel(
        "Wait for a decision",
        "From opening to decision.",
        "s",
        quantiles("checkpoint_wait_seconds"),
    ),
    Panel(
        "Open checkpoints",
        "How many wait.",
        "none",
        {
            "open": "sum(tidegate_checkpoints_waiting{<scope>})",
            "that can't ask": "sum(tidegate_checkpoints_held{<scope>})",
        },
    ),
)

PACE = (
    Panel(
        "Hand-off between waves",
        "From the end of a wave's last pod to the creation of the next wave's first Job.",
        "s",
        quantiles("handoff_seconds", shares=(0.5, 0.99)),
    ),
    Panel(
        "Lag of Kubernetes' Job controller",
        "From a Job's creation to its pod running, and from a pod's end to its Job's.",
        "s",
        {f"start {n}": q for n, q in quantiles("job_start_lag_seconds").items()}
        | {f"finish {n}": q for n, q in quantiles("job_finish_lag_seconds").items()},
    ),
    Panel(
        "Workflows that wait for a pass",
        "Ends of pods and votes are hot, all else is calm.",
        "none",
        {"{{lane}}": "sum by (lane) (tidegate_queue_depth{<scope>})"},
    ),
    Panel("Wait for a pass", "By lane.", "s", quantiles("queue_wait_seconds", "lane", (0.99,))),
)

OPERATOR = (
    Panel(
        "Passes over Workflows",
        "How long they take, requests included.",
        "s",
        quantiles("reconcile_duration_seconds", shares=(0.5, 0.99)),
    ),
    Panel(
        "Errors",
        "Passes that failed, by kind; logs and Events that were not written.",
        "ops",
        rate("reconcile_errors_total", "kind", legend="pass: {{kind}}")
        | rate("log_write_errors_total", "kind", legend="log: {{kind}}")
        | rate("event_write_errors_total", legend="events"),
    ),
    Panel(
        "Size of statuses",
        "When they were written; the bound is 384 KiB.",
        "bytes",
        quantiles("status_bytes", shares=(0.5, 0.99)),
    ),
    Panel(
        "Requests to the API server",
        "By verb and answer.",
        "reqps",
        rate("api_requests_total", "verb", "code"),
    ),
    Panel(
        "Slowest requests",
        "99th percentile by verb.",
        "s",
        quantiles("api_request_duration_seconds", "verb", (0.99,)),
    ),
    Panel(
        "Silence of watches",
        "Since when nothing was heard; 60 s is ordinary, 180 s for Workflows.",
        "s",
        {"{{resource}}": "max by (resource) (tidegate_watch_silence_seconds{<scope>})"},
    ),
    Panel(
        "Watches opened again",
        "Each lasts four to six minutes; more means that they break.",
        "none",
        count("watch_restarts_total", "resource"),
    ),
    Panel(
        "Webhook",
        "What it answered, if it is enabled.",
        "reqps",
        rate("webhook_requests_total", "result"),
    ),
    Panel(
        "CPU",
        "Of each replica, in cores.",
        "none",
        {"{{instance}}": "rate(process_cpu_seconds_total{<scope>}[<span>])"},
    ),
    Panel(
        "Memory",
        "Resident, of each replica.",
        "bytes",
        {"{{instance}}": "process_resident_memory_bytes{<scope>}"},
    ),
    Panel(
        "Open files",
        "Of each replica.",
        "none",
        {"{{instance}}": "process_open_fds{<scope>}"},
    ),
)

ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": NOW,
    "Workflows": WORKFLOWS,
    "Nodes": NODES,
    "Checkpoints": CHECKPOINTS,
    "Pace": PACE,
    "The operator": OPERATOR,
}
PANELS = tuple(panel for panels in ROWS.values() for panel in panels)
