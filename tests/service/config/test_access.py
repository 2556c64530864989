"""Files of tokens, which other users cannot read, say who may give orders, in whose name, and who may look."""

from pathlib import Path

import pytest

from tightrope.service.api.overview.event_words import MACHINE_ACTORS
from tightrope.service.config.access import MACHINE_NAMES, AccessTokens, access_tokens, command_token
from tightrope.service.config.loader import TOKEN_VARIABLE, ConfigError, Settings, load

MODELS = "models: {m: {baseline: b.onnx, compressed: c.onnx}}\n"
OPERATORS = "# of the team\nann@example.org: token-of-ann\n\nBen van Dijk:  token-of-ben \n"


def settings_of(folder: Path, server: str, **files: str) -> Settings:
    """The settings with this section, beside private files with these contents."""
    for name, content in files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(0o600)
    path = folder / "tightrope.yaml"
    path.write_text(f"{MODELS}server: {server}\n")
    return load(path, {})


def problems_of(folder: Path, server: str, **files: str) -> list[str]:
    """The problems of the tokens."""
    with pytest.raises(ConfigError) as caught:
        access_tokens(settings_of(folder, server, **files), {})
    return caught.value.problems


def test_tokens_come_from_a_file_each_or_from_one_of_lines(tmp_path: Path) -> None:
    """Relative to the configuration; the control token stays beside them, without a name."""
    server = "{operators: {eve: eve}, operators_file: all, view_token_file: view}"
    settings = settings_of(tmp_path, server, eve="token-of-eve\n", all=OPERATORS, view="viewers")
    tokens = access_tokens(settings, {TOKEN_VARIABLE: "control"})
    named = {token: tokens.operator(token) for token in ("token-of-ann", "token-of-ben", "token-of-eve", "control")}
    assert list(named.values()) == ["ann@example.org", "Ben van Dijk", "eve", ""]
    assert [tokens.operator(token) for token in ("", "viewers", "token-of", "token-of-annx")] == [None] * 4
    assert [tokens.may_look(token) for token in ("viewers", "token-of-eve", "control", "", "viewer")] == [
        *(True, True, True),
        *(False, False),
    ]
    assert "token" not in repr(tokens)


def test_nothing_configured_gives_no_right() -> None:
    """Neither does the empty token."""
    tokens = AccessTokens()
    assert (tokens.has_control, tokens.operator(""), tokens.may_look("")) == (False, None, False)
    assert AccessTokens(operators={"ann": "a"}).has_control


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o620])
@pytest.mark.parametrize(
    ("server", "key"),
    [
        ("{operators: {ann: file}}", "server.operators.ann"),
        ("{operators_file: file}", "server.operators_file"),
        ("{view_token_file: file}", "server.view_token_file"),
    ],
)
def test_file_that_others_may_read_is_refused(tmp_path: Path, server: str, key: str, mode: int) -> None:
    """The line names the key, the file and the cure; the group may read it, as Kubernetes mounts secrets."""
    content = "ann: secret" if "operators_file" in key else "secret"
    settings = settings_of(tmp_path, server, file=content)
    (tmp_path / "file").chmod(mode)
    with pytest.raises(ConfigError) as caught:
        access_tokens(settings, {})
    (line,) = caught.value.problems
    assert line.startswith(f"{key}: {tmp_path / 'file'}: other users may read or change it (mode {mode:04o})")
    assert line.endswith(f"chmod 600 {tmp_path / 'file'}")
    (tmp_path / "file").chmod(0o440)
    assert access_tokens(settings, {})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("ann tok3n", "line 1: should be NAME: TOKEN"),
        ("\n: tok3n", "line 2: should be NAME: TOKEN"),
        ("ann:  ", "line 1: should be NAME: TOKEN"),
        ("ann: tök3n", "line 1: the token is not ASCII"),
        ("ann: tok3n\nann: other", "line 2: 'ann' is named twice"),
        ("ann: tok3n\nben: tok3n", "line 2: has the token of server.operators_file: "),
        ("Judge: tok3n", "line 1: 'Judge' stands for a part of Tightrope"),
        ("# nothing\n", "names no operator"),
    ],
)
def test_line_that_names_no_operator_is_told(tmp_path: Path, content: str, reason: str) -> None:
    """By the file and the number of the line, without the token."""
    (line,) = problems_of(tmp_path, "{operators_file: file}", file=content)
    assert line.startswith(f"server.operators_file: {tmp_path / 'file'}: {reason}")
    assert "k3n" not in line


def test_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    """Without its bytes."""
    settings = settings_of(tmp_path, "{operators_file: file}", file="")
    (tmp_path / "file").write_bytes(b"\xff\xfeann: secret")
    with pytest.raises(ConfigError, match=r"file: is not UTF-8$"):
        access_tokens(settings, {})


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """A token that stands for two is one; so is one of those who look that could give orders."""
    lines = problems_of(
        tmp_path,
        "{control_token_file: c, operators: {ann: c, ben: none}, view_token_file: c}",
        c="secret",
    )
    assert [line.split(": ")[0] for line in lines] == [
        "server.operators.ann",
        "server.operators.ben",
        "server.view_token_file",
    ]
    assert "has the token of server.control_token_file" in lines[0]
    assert "cannot be read: No such file or directory" in lines[1]
    assert lines[2].endswith("who may look must not give orders")


def test_command_asks_with_the_control_token_or_that_of_those_who_look(tmp_path: Path) -> None:
    """Operators' files are their own: a command does not read them."""
    settings = settings_of(tmp_path, "{operators: {ann: none}, view_token_file: view}", view="viewers")
    assert command_token(settings, {TOKEN_VARIABLE: "control"}) == "control"
    assert command_token(settings, {}) == "viewers"
    assert command_token(settings_of(tmp_path, "{port: 1}"), {}) is None
    (tmp_path / "view").unlink()
    with pytest.raises(ConfigError, match=r"server.view_token_file"):
        command_token(settings, {})


@pytest.mark.parametrize("name", ["'a:b'", "' a'", "''", "'a#b'", '"a\\nb"'])
def test_name_of_an_operator_is_one_of_a_person(tmp_path: Path, name: str) -> None:
    """One line without a colon, as it stands in the file of lines."""
    with pytest.raises(ConfigError, match=r"server.operators"):
        settings_of(tmp_path, f"{{operators: {{{name}: file}}}}")


def test_no_operator_has_the_name_of_a_part() -> None:
    """The audit trail says by them that no person acted."""
    assert {*MACHINE_ACTORS} <= MACHINE_NAMES
