"""The `ls-retrieval` command: which commands there are, and how errors become messages and exit codes."""

import sys
import traceback

import typer

from label_configs.errors import GateFailed, mendable
from ls_retrieval.commands import answers, delivery, proposing, quality, setting_up, showing

PANELS = {
    "Set up": (setting_up.init, setting_up.doctor, setting_up.status, setting_up.config, setting_up.take),
    "Propose": (proposing.index, proposing.pool, proposing.push, proposing.serve),
    "Read answers": (answers.pull, answers.learn, answers.forget),
    "Measure": (
        quality.report,
        quality.evaluate,
        quality.gold,
        quality.qualify,
        quality.adjudicate,
        quality.repeat,
        quality.simulate,
    ),
    "Deliver": (delivery.sync, delivery.export, delivery.freeze, delivery.verify),
    "See it work": (showing.demo,),
}
"""Stage of the work to its commands, as the help shows them."""

app = typer.Typer(
    name="ls-retrieval",
    help="Retrieval judgments and verified hard negatives from Label Studio.\n\n"
    "The usual order: init, index, pool, push, (people label), sync. `status` says what is next.",
    epilog="Exit codes: 0 done, 1 you can mend it, 2 usage, 3 a gate failed, 4 partly done, 70 our defect.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for panel, commands in PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def main() -> None:
    """Run the command line; the only place where errors become messages and exit codes."""
    try:
        app()
    except GateFailed as error:
        _stop(f"Gate failed: {error}", error.exit_code)
    except KeyboardInterrupt:
        _stop("Stopped.", 130)
    except BrokenPipeError:
        sys.exit(0)
    except Exception as error:
        if told := mendable(error):
            _stop(f"Error: {told}", told.exit_code)
        traceback.print_exc()
        _stop("This is a defect of ls-retrieval; please report it with the lines above.", 70)


def _stop(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)
