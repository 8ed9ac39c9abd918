"""Commands to paste, word for word."""

from tidegate.api.identity import WorkflowKey
from tidegate.report import commands

KEY = WorkflowKey("data", "nightly-report")


def test_commands() -> None:
    assert commands.logs(KEY, "extract", 2) == (
        "kubectl logs -n data -l tidegate.dev/workflow=nightly-report,tidegate.dev/node=extract,"
        "tidegate.dev/run=2 --tail=-1 --prefix"
    )
    assert commands.tail(KEY, "nightly-report-log", "1.extract.3") == (
        "kubectl get cm -n data nightly-report-log -o jsonpath='{.data.1\\.extract\\.3\\.txt}'"
    )
    assert commands.rerun(KEY, "failed") == (
        "kubectl annotate --overwrite -n data twf nightly-report "
        "tidegate.dev/rerun=failed@$(date +%s)"
    )


def test_whatever_a_name_holds_it_is_one_word_for_the_shell() -> None:
    odd = WorkflowKey("d; rm -rf ~", "x$(id)\n`id`")
    assert commands.describe(odd) == "kubectl describe -n 'd; rm -rf ~' twf 'x$(id) `id`'"
