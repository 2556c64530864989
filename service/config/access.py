"""The bearer tokens that a gateway takes: who may give orders, in whose name, and who may look."""

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tightrope.service.adapters.secret_file import private_content, secret_text
from tightrope.service.config.loader import ConfigError, Settings, control_token
from tightrope.service.config.process.server import OPERATOR_PATTERN
from tightrope.service.errors import quote

MACHINE_NAMES = frozenset({"judge", "gateway", "tightrope"})
"""Names by which the audit trail says that no person acted."""

VIEW_KEY, OPERATORS_FILE_KEY = "server.view_token_file", "server.operators_file"


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """The token of the control API, that of each operator by name, and that of those who may look; None: not set.
    Tokens are compared in constant time.

    >>> tokens = AccessTokens(control="c", operators={"ann": "a"})
    >>> tokens.operator("a"), tokens.operator("c"), tokens.operator("x")
    ('ann', '', None)
    """

    control: str | None = field(default=None, repr=False)
    operators: Mapping[str, str] = field(default_factory=dict, repr=False)
    view: str | None = field(default=None, repr=False)

    @property
    def has_control(self) -> bool:
        """Whether orders are taken."""
        return self.control is not None or bool(self.operators)

    def operator(self, token: str) -> str | None:
        """The name of the operator with this token: empty for the control token, None for any other token."""
        known = self.operators if self.control is None else {"": self.control, **self.operators}
        found = [name for name, own in known.items() if _are_equal(own, token)]
        return found[0] if found else None

    def may_look(self, token: str) -> bool:
        """Whether the owner of a token may look."""
        is_viewer = self.view is not None and _are_equal(self.view, token)
        return is_viewer or self.operator(token) is not None


def _are_equal(own: str, given: str) -> bool:
    return secrets.compare_digest(own.encode(), given.encode())


def access_tokens(settings: Settings, environ: Mapping[str, str] | None = None) -> AccessTokens:
    """The tokens of a configuration.

    Raises:
        ConfigError: with every token that cannot be used.
    """
    problems: list[str] = []
    control = view = None
    try:
        control = control_token(settings) if environ is None else control_token(settings, environ)
    except ConfigError as error:
        problems += error.problems
    owners = {control: "server.control_token_file"} if control else {}
    operators: dict[str, str] = {}
    for key, name, token in _operators(settings, problems):
        if name.casefold() in MACHINE_NAMES:
            problems.append(f"{key}: {quote(name)} stands for a part of Tightrope; choose the name of a person")
        elif name in operators:
            problems.append(f"{key}: {quote(name)} is named twice; each operator needs one token")
        elif token in owners:
            problems.append(f"{key}: has the token of {owners[token]}; each needs one of their own")
        else:
            operators[name] = token
            owners[token] = key
    if (file := settings.server.view_token_file) is not None:
        view = _token(file, VIEW_KEY, problems)
        if view in owners:
            problems.append(f"{VIEW_KEY}: {file}: has the token of {owners[view]}; who may look must not give orders")
    if problems:
        raise ConfigError(problems)
    return AccessTokens(control, operators, view)


def command_token(settings: Settings, environ: Mapping[str, str] | None = None) -> str | None:
    """The token that a command asks a gateway of this configuration with, if none is given to it: that of the control
    API, or else that of those who look. Operators' tokens are their own.

    Raises:
        ConfigError: when it cannot be used.
    """
    token = control_token(settings) if environ is None else control_token(settings, environ)
    if token is not None or settings.server.view_token_file is None:
        return token
    problems: list[str] = []
    token = _token(settings.server.view_token_file, VIEW_KEY, problems)
    if problems:
        raise ConfigError(problems)
    return token


def _operators(settings: Settings, problems: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the name and the token of each operator; those that cannot be read are ``problems``."""
    for name, file in settings.server.operators.items():
        key = f"server.operators.{name}"
        if (token := _token(file, key, problems)) is not None:
            yield f"{key}: {file}", name, token
    file_of_all = settings.server.operators_file
    if file_of_all is None:
        return
    source = f"{OPERATORS_FILE_KEY}: {file_of_all}"
    try:
        lines = private_content(file_of_all).decode("utf-8").splitlines()
    except ValueError as error:  # UnicodeDecodeError is one, and its text has bytes of the file
        reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        problems.append(f"{source}: {reason}")
        return
    entries = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if not entries:
        problems.append(f"{source}: names no operator; it should have lines of the form NAME: TOKEN")
    for number, line in entries:
        name, _, token = line.partition(":")
        key = f"{source}: line {number}"
        if not re.fullmatch(OPERATOR_PATTERN, name.strip()) or not token.strip():
            problems.append(f"{key}: should be NAME: TOKEN")
            continue
        try:
            yield key, name.strip(), secret_text(token.encode())
        except ValueError as error:
            problems.append(f"{key}: the token {error}")


def _token(file: Path, key: str, problems: list[str]) -> str | None:
    try:
        return secret_text(private_content(file))
    except ValueError as error:
        problems.append(f"{key}: {file}: {error}")
        return None
