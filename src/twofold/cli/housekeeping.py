"""`twofold cache`, `config`, `completion` and `man`: the tool itself, not a project."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from twofold.cli.terminal import Parser, print_json

SHELLS = ("bash", "zsh", "fish", "powershell")


def cache_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold cache`."""
    words = Parser("cache", "Show or empty the folder of twofold's caches.").with_json()
    words.set_defaults(run=_run_cache)
    words.add_argument("action", choices=("dir", "size", "clean"))
    return words


def config_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold config`."""
    words = Parser("config", "Show the configuration: its file, and the targets in it.").with_json()
    words.set_defaults(run=_show_config)
    words.add_argument("target", nargs="?", default="", metavar="TARGET", help="only this target")
    words.add_argument(
        "--schema", action="store_true", help="print the JSON schema of [tool.twofold]"
    )
    return words


def completion_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold completion`."""
    words = Parser("completion", "Print a script that completes twofold's command lines.")
    words.set_defaults(run=_print_completion)
    words.add_argument("shell", choices=SHELLS)
    return words


def man_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold man`."""
    words = Parser("man", "Write man pages, from the same source as --help.")
    words.set_defaults(run=_write_man)
    words.add_argument("--out", type=Path, default=Path("man1"), metavar="DIR", help="(man1)")
    return words


def run(args: argparse.Namespace) -> int:
    """Run one of the four commands; returns the exit code."""
    code: int = args.run(args)
    return code


def _run_cache(args: argparse.Namespace) -> int:
    from twofold.cache_dir import get_cache_dir

    folder = Path(get_cache_dir())
    size = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    if args.action == "clean" and folder.is_dir():
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    if args.json:
        print_json({"dir": str(folder), "size": size, "cleaned": args.action == "clean"})
    elif args.action == "dir":
        print(folder)
    else:
        print(f"{'removed ' if args.action == 'clean' else ''}{size / 1e6:.1f} MB in {folder}")
    return 0


def _show_config(args: argparse.Namespace) -> int:
    import twofold
    from twofold.publish.addresses import redact_url
    from twofold.publish.config import get_config_file, read_targets

    if args.schema:
        print(
            Path(twofold.__file__).with_name("tool-twofold.schema.json").read_text("utf-8"), end=""
        )
        return 0
    file = get_config_file()
    targets = [t for name, t in read_targets().items() if args.target in ("", name)]
    rows = [
        {
            "name": target.name,
            "kind": target.kind,
            "url": redact_url(target.url),
            "owner": target.owner,
            "channel": target.channel,
            "index": redact_url(target.index),
            "has_token": target.token is not None,
        }
        for target in targets
    ]
    if args.json:
        print_json({"file": str(file), "exists": file.is_file(), "targets": rows})
        return 0
    print(f"{file}{'' if file.is_file() else ' (not written yet)'}")
    for row in rows:
        token = "  token in this file" if row["has_token"] else ""
        print(f"  {row['name']}  {row['kind']}  {row['url']}{token}")
    return 0


def list_options(parser: argparse.ArgumentParser) -> list[tuple[str, str]]:
    """The long options of a parser with their help, its choices, and those of its subcommands."""
    found: dict[str, str] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                found.setdefault(name, "")
                found.update(list_options(child))
        elif not action.option_strings:
            found.update((str(choice), "") for choice in action.choices or ())
        elif action.help != argparse.SUPPRESS:
            found.update((o, action.help or "") for o in action.option_strings if o[:2] == "--")
    return list(found.items())


def _read_commands() -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """Every command with its line of help and its options."""
    from twofold.cli import COMMANDS, make_parser

    for command, text in COMMANDS.items():
        yield command, text, [*list_options(make_parser(command)), *_GENERAL]


#: Options of every command, which its parser does not see.
_GENERAL = (
    ("--quiet", "print results and errors only"),
    ("--verbose", "print requests, and the cause of an error"),
    ("--color", "always, never or auto"),
    ("--offline", "make no network connection"),
)


def _print_completion(args: argparse.Namespace) -> int:
    print(_COMPLETIONS[args.shell](list(_read_commands())))
    return 0


Commands = list[tuple[str, str, list[tuple[str, str]]]]


def _complete_bash(commands: Commands) -> str:
    names = " ".join(name for name, _, _ in commands)
    cases = "\n".join(
        f'    {name}) words="{" ".join(option for option, _ in options)}" ;;'
        for name, _, options in commands
    )
    return f"""\
_twofold() {{
  local word command="" words="{names}"
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in -*) ;; *) command="$word"; break ;; esac
  done
  case "$command" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o bashdefault -o default -F _twofold twofold"""


def _complete_zsh(commands: Commands) -> str:
    cases = "\n".join(
        f"    {name}) found=({' '.join(_describe_zsh(*option) for option in options)}) ;;"
        for name, _, options in commands
    )
    return f"""\
#compdef twofold
_twofold() {{
  local -a before=(${{words[2,CURRENT-1]:#-*}})
  local command=$before[1] code=1
  local -a found=({" ".join(_describe_zsh(name, text) for name, text, _ in commands)})
  case "$command" in
{cases}
  esac
  if [[ $PREFIX == -* ]]; then _describe -o option found; return; fi
  _describe twofold found && code=0
  [[ -n $command ]] && _files && code=0
  return code
}}
if [[ $funcstack[1] == _twofold ]]; then _twofold "$@"; else compdef _twofold twofold; fi"""


def _describe_zsh(word: str, text: str) -> str:
    return "'" + f"{word}:{' '.join(text.split())}".replace("'", "'\\''") + "'"


def _complete_fish(commands: Commands) -> str:
    lines = []
    for name, text, options in commands:
        lines.append(f"complete -c twofold -f -n __fish_use_subcommand -a {name} -d {_quote(text)}")
        for option, about in options:
            word = f"-l {option[2:]}" if option.startswith("--") else f"-a {option}"
            seen = f"'__fish_seen_subcommand_from {name}'"
            lines.append(f"complete -c twofold -n {seen} {word} -d {_quote(about)}")
    return "\n".join(lines)


def _quote(text: str) -> str:
    return "'" + " ".join(text.replace("\\", "\\\\").replace("'", "\\'").split()) + "'"


def _complete_powershell(commands: Commands) -> str:
    rows = "\n".join(
        f"    '{name}' = @({', '.join(repr(option) for option, _ in options)})"
        for name, _, options in commands
    )
    return f"""\
Register-ArgumentCompleter -Native -CommandName twofold -ScriptBlock {{
  param($word, $ast, $position)
  $commands = @{{
{rows}
  }}
  $given = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object {{ $_.ToString() }} |
      Where-Object {{ $_ -notlike '-*' }})
  $words = if ($given.Count -and $commands.ContainsKey($given[0]) -and
      -not ($given.Count -eq 1 -and $given[0] -eq $word)) {{ $commands[$given[0]] }}
    else {{ $commands.Keys }}
  $words | Where-Object {{ $_ -like "$word*" }} | Sort-Object | ForEach-Object {{
    [System.Management.Automation.CompletionResult]::new($_) }}
}}"""


_COMPLETIONS: dict[str, Callable[[Commands], str]] = {
    "bash": _complete_bash,
    "zsh": _complete_zsh,
    "fish": _complete_fish,
    "powershell": _complete_powershell,
}


def _write_man(args: argparse.Namespace) -> int:
    from twofold.cli import COMMANDS, format_usage, make_parser

    args.out.mkdir(parents=True, exist_ok=True)
    pages = {"twofold": ("one tool for pip and conda packages", format_usage())}
    for command, text in COMMANDS.items():
        pages[f"twofold-{command}"] = (text, make_parser(command).format_help())
    for name, (title, text) in pages.items():
        (args.out / f"{name}.1").write_text(_format_man(name, title, text), "utf-8")
    print(f"{len(pages)} pages in {args.out}{os.sep}; read one: man {args.out}/twofold-build.1")
    return 0


def _format_man(name: str, title: str, text: str) -> str:
    """The page in roff: the help as it is, since its columns are set already."""
    from twofold import __version__

    body = "\n".join(
        "\\&" + line.replace("\\", "\\e").replace("-", "\\-") if line else ""
        for line in text.splitlines()
    )
    head = f'.TH "{name.upper()}" 1 "" "twofold {__version__}"'
    names = name.replace("-", "\\-")
    return f"{head}\n.SH NAME\n{names} \\- {title}\n.SH DESCRIPTION\n.nf\n{body}\n.fi\n"
