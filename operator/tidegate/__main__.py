"""``python -m tidegate`` and ``tidegate-operator``: start the operator."""

import sys

from tidegate.errors import SettingsError
from tidegate.settings import Settings


def main() -> None:
    """Run the operator until it is told to stop; settings come from ``TIDEGATE_…``."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        sys.exit(f"tidegate-operator: {error}")

    # Imported late so that wrong settings are told at once and not after the imports' two seconds.
    import uvloop

    from tidegate.app import logs, process

    logs.configure(settings.log_format, settings.log_level)
    try:
        sys.exit(uvloop.run(process.main(settings)))
    except SettingsError as error:
        sys.exit(f"tidegate-operator: {error}")


if __name__ == "__main__":
    main()
