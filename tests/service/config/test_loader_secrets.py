"""Secrets come from a file that the configuration names, or from the environment."""

from pathlib import Path

import pytest

from tightrope.service.config.loader import TOKEN_VARIABLE, ConfigError, control_token, draw_secret, kafka_secrets, load

MODEL = "baseline: b.onnx, compressed: c.onnx"
MINIMAL = "models: {m: {baseline: b.onnx, compressed: sub/c.onnx}}\n"


def written(folder: Path, text: str) -> Path:
    """Write a configuration file with this text."""
    path = folder / "tightrope.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("content", "token"), [("secret", "secret"), ("secret\n", "secret"), ("  a b \n", "a b")])
def test_token_is_read_from_its_file(tmp_path: Path, content: str, token: str) -> None:
    """Without surrounding white space; the file has precedence over the environment."""
    (tmp_path / "token").write_text(content)
    settings = load(written(tmp_path, MINIMAL + "server: {control_token_file: token}"), {})
    assert control_token(settings, {TOKEN_VARIABLE: "another"}) == token


@pytest.mark.parametrize(("environ", "token"), [({}, None), ({TOKEN_VARIABLE: ""}, None), ({TOKEN_VARIABLE: "t"}, "t")])
def test_token_comes_from_the_environment_without_a_file(
    tmp_path: Path, environ: dict[str, str], token: str | None
) -> None:
    """An empty variable counts as unset: it must not become an empty password."""
    assert control_token(load(written(tmp_path, MINIMAL), environ), environ) == token


def test_draw_secret_comes_from_file_or_environment(tmp_path: Path) -> None:
    """The file wins; without both the result is empty. A mistake names the key, not the secret."""
    secret = "0f" * 32
    (tmp_path / "secret").write_text(f"{secret}\n")
    (tmp_path / "c.yaml").write_text(
        "models: {m: {baseline: b.onnx, compressed: c.onnx}}\nsampling_secret_file: secret\n"
    )
    configured = load(tmp_path / "c.yaml", {})
    plain = configured.model_copy(update={"sampling_secret_file": None})
    assert draw_secret(configured, {"TIGHTROPE_DRAW_SECRET": "11" * 32}) == bytes.fromhex(secret)
    assert draw_secret(plain, {"TIGHTROPE_DRAW_SECRET": secret}) == bytes.fromhex(secret)
    assert draw_secret(plain, {}) is None
    for wrong in ("abc", "zz" * 32, "0f" * 31):
        with pytest.raises(ConfigError, match="TIGHTROPE_DRAW_SECRET: must be 64 hexadecimal digits") as caught:
            draw_secret(plain, {"TIGHTROPE_DRAW_SECRET": wrong})
        assert wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff\xfe", "begins with a byte-order mark"),
        (b"\xef\xbb\xbfsecret\r\n", "begins with a byte-order mark"),
        ("secret".encode("utf-16"), "begins with a byte-order mark"),
        ("secret".encode("utf-16-be"), "has a control character"),
        ("schl\u00fcssel".encode(), "is not ASCII"),
        ("schl\u00fcssel".encode("latin-1"), "is not ASCII"),
        ("sec\u200bret".encode(), "is not ASCII"),
        ("secret\u00a0".encode(), "is not ASCII"),
        (b"user\nsecret\n", "has a control character or a second line"),
    ],
)
def test_token_file_without_a_token_is_an_error(tmp_path: Path, content: bytes | None, reason: str) -> None:
    """A secret that was not mounted must not switch control off, or open it."""
    path = tmp_path / "tightrope.yaml"
    path.write_text(f"models: {{m: {{{MODEL}}}}}\nserver: {{control_token_file: token}}")
    if content is not None:
        (tmp_path / "token").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        control_token(load(path, {}), {TOKEN_VARIABLE: "another"})
    (problem,) = caught.value.problems
    assert problem.startswith(f"server.control_token_file: {tmp_path / 'token'}: {reason}")


@pytest.mark.parametrize(
    ("value", "reason"),
    [("schl\u00fcssel", "is not ASCII"), ("\ufeffsecret", "begins with a byte-order mark"), (" ", "is")],
)
def test_variable_without_a_token_is_an_error(tmp_path: Path, value: str, reason: str) -> None:
    """It names the variable, not its value."""
    settings = load(written(tmp_path, MINIMAL), {})
    with pytest.raises(ConfigError, match=f"^{TOKEN_VARIABLE}: {reason}") as caught:
        control_token(settings, {TOKEN_VARIABLE: value})
    assert value.strip() == "" or value not in str(caught.value)


def test_variable_may_end_in_a_newline(tmp_path: Path) -> None:
    """As a secret of Kubernetes that was made of a file."""
    assert control_token(load(written(tmp_path, MINIMAL), {}), {TOKEN_VARIABLE: "secret\n"}) == "secret"


def test_passwords_of_kafka_are_as_strict(tmp_path: Path) -> None:
    """From a file and from the environment."""
    (tmp_path / "password").write_bytes(b"\xef\xbb\xbfpassword")
    kafka = "bus: {kafka: {servers: ['k:9092'], password_file: password}}"
    bus = load(written(tmp_path, MINIMAL + kafka), {}).bus
    assert bus is not None
    with pytest.raises(ConfigError, match=r"^bus.kafka.password_file: .*: begins with a byte-order mark"):
        kafka_secrets(bus.kafka, {})
    without = bus.kafka.model_copy(update={"password_file": None})
    with pytest.raises(ConfigError, match=r"^TIGHTROPE_KAFKA_PASSWORD: is not ASCII"):
        kafka_secrets(without, {"TIGHTROPE_KAFKA_PASSWORD": "pa\u00dfwort"})
