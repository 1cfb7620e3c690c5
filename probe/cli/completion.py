"""`blockonset completion`: print the script with which a shell completes the command's words."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from probe.cli.main import parts, summary

app = App(name="completion", help="Print the script with which a shell completes commands and options.")


@app.default
def print_script(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell.")], /) -> None:
    """Print a shell's completion script. It has the options of the commands whose extras are installed.

    bash: add to ~/.bashrc the line: eval "$(blockonset completion bash)"

    zsh: blockonset completion zsh > DIRECTORY/_blockonset, where DIRECTORY is one of $fpath

    fish: blockonset completion fish > ~/.config/fish/completions/blockonset.fish
    """
    root = App(name="blockonset")
    for part in parts():
        try:
            command = part.load()
        except ModuleNotFoundError:
            command = App(help=summary(part))
        root.command(command, name=part.name)
    sys.stdout.write(root.generate_completion(shell=shell))
