"""Taking the packet rules of kube-proxy and the pod network away, and nobody else's."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from tests.cluster.prerequisites import which
from tests.cluster.shell import output, succeeds

PROGRAMS = ("iptables", "ip6tables")
TABLES = ("nat", "filter", "mangle", "raw")
ANY_NETWORK = 'name: \\"'
OUR_NETWORK = 'name: \\"tidegate\\"'
"""How ``iptables -S`` shows the comment that the CNI plugins put on their rules."""


def remove_all() -> None:
    """Remove our chains and what leads to them from every table."""
    for program in PROGRAMS:
        command = which(program)
        for table in TABLES if command is not None else ():
            if succeeds([str(command), "-t", table, "-S"]):
                _remove_from(str(command), table)


def own_chains(rules: Sequence[str]) -> list[str]:
    """Return the chains that are ours, out of what ``iptables -S`` prints.

    Chains of the CNI plugins carry the network's name in the rules that lead to them; the
    port mapper's entry chains serve every network and go only with the last one.
    """
    chains = [line.split()[1] for line in rules if line.startswith("-N")]
    ours = [rule for rule in rules if OUR_NETWORK in rule]
    others = any(ANY_NETWORK in rule and rule not in ours for rule in rules)
    led_to = {_target(rule) for rule in ours}
    return [
        chain
        for chain in chains
        if chain.startswith("KUBE-")
        or chain in led_to
        or (chain.startswith("CNI-HOSTPORT-") and not others)
    ]


def removal(table: str, rules: Sequence[str]) -> str:
    """Return the input for ``iptables-restore --noflush`` that removes our chains of a table."""
    own = own_chains(rules)
    if not own:
        return ""
    leading = [rule.replace("-A", "-D", 1) for rule in rules if _leads_into(rule, own)]
    emptied = [f"-F {chain}" for chain in own]
    removed = [f"-X {chain}" for chain in own]
    return "\n".join([f"*{table}", *leading, *emptied, *removed, "COMMIT", ""])


def _remove_from(command: str, table: str) -> None:
    script = removal(table, output([command, "-t", table, "-S"]).splitlines())
    if script:
        restore = [f"{command}-restore", "--noflush"]
        subprocess.run(restore, input=script, text=True, check=False, capture_output=True)


def _target(rule: str) -> str:
    words = rule.split()
    return words[words.index("-j") + 1] if "-j" in words else ""


def _leads_into(rule: str, chains: Sequence[str]) -> bool:
    """Return whether a rule of a chain that stays leads into one of these."""
    words = rule.split()
    return words[0] == "-A" and words[1] not in chains and _target(rule) in chains
