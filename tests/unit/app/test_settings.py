import pytest

from tidegate.errors import SettingsError
from tidegate.settings import Settings


def test_defaults() -> None:
    settings = Settings.load()
    assert settings.namespaces == ()
    assert (settings.metrics_port, settings.probe_port) == (9090, 8080)
    assert (settings.job_burst, settings.unstarted_jobs, settings.concurrency) == (50, 20, 64)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEGATE_NAMESPACES", "a, b,")
    monkeypatch.setenv("TIDEGATE_EXCLUDED_NAMESPACES", "")
    monkeypatch.setenv("TIDEGATE_LOG_LEVEL", "debug")
    monkeypatch.setenv("TIDEGATE_JOB_RATE", "2.5")
    monkeypatch.setenv("TIDEGATE_METRICS_PORT", "0")
    settings = Settings.load()
    assert settings.namespaces == ("a", "b")
    assert settings.excluded_namespaces == ()
    assert settings.log_level == "DEBUG"
    assert settings.job_rate == 2.5
    assert settings.metrics_port == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIDEGATE_METRICS_PORT", "70000"),
        ("TIDEGATE_LOG_FORMAT", "xml"),
        ("TIDEGATE_JOB_BURST", "0"),
        ("TIDEGATE_CONCURRENCY", "many"),
        ("TIDEGATE_LEASE_DURATION", "5"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name.replace("DURATION", "")):
        Settings.load()
