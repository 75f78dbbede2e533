"""What looks like a secret is found and never told; what only reads like one is left alone."""

import logging
from pathlib import Path

import pytest

from runhistory.domain.values import Environment, ScriptSpec
from runhistory.sdk.errors import InvalidConfig
from runhistory.sdk.secrets import (
    check_secrets,
    find_in_values,
    kind_of_name,
    secrets_in,
)
from runhistory.snapshots import scan

# Put together here, so that no scanner takes this file for a leak.
AWS = "AKIA" + "QWERTYUIOPASDFGH"
GITHUB = "ghp" + "_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
OPENAI = "sk" + "-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PEM = "-----BEGIN RSA " + "PRIVATE KEY-----"
RANDOM = "f3a9c1e47b2d8065" + "9e1c4b7a"


@pytest.mark.parametrize(
    "text",
    [
        f"key = '{AWS}'",
        f"{GITHUB}\n",
        f"openai.api_key = {OPENAI!r}",
        PEM,
        "postgres://me:" + "s3cretpw@db.host/runs",
        f"password={RANDOM}",
        f'  "client_secret": "{RANDOM}",',
        f"export DB_PASSWORD='{RANDOM}'",
        "DefaultEndpointsProtocol=https;AccountKey=" + "aB3/" * 21 + "aa==",
    ],
)
def test_a_secret_is_found_in_its_line(text: str) -> None:
    assert [line for line, _ in secrets_in(f"# first\n\n{text}".encode())] == [3]


@pytest.mark.parametrize(
    "text",
    [
        "token = tokenizer.encode(text)",
        "password = getpass.getpass('password: ')",
        "api_key=os.environ.get('API_KEY')",
        "token=config.service.access_token",
        "password: ${{ secrets.REGISTRY_PASSWORD }}",
        "PASSWORD=changeme-please-1234",
        "pad_token = '<|endoftext|>'",
        "secret = 'your-secret-goes-here-123'",
        "AWS_ACCESS_KEY_ID=AKIA" + "IOSFODNN7EXAMPLE",
        "url = 'https://user:password@example.com'",
        "numpy==2.0 --hash=sha256:" + "0f" * 32,
        "redis://localhost:6379/0",
        "https://host/task-management-for-people-with-too-much-to-do",
        "sk-learn is scikit-learn; risk-averse-portfolio-optimisation-and-more-words-here",
        "max_tokens=100000000000000",
        "key = 'train/accuracy/top5/validation/2024'",
    ],
)
def test_what_only_reads_like_one_is_left_alone(text: str) -> None:
    assert secrets_in(text.encode()) == []


@pytest.mark.parametrize(
    "path",
    [".env", "deploy/.env.production", "id_rsa", "certs/server.pem", "a.key", ".npmrc", ".pypirc",
     "credentials.json", ".aws/credentials", ".docker/config.json", "kubeconfig", ".netrc"],
)  # fmt: skip
def test_names_of_files_that_hold_secrets(path: str) -> None:
    assert kind_of_name(path)


@pytest.mark.parametrize(
    "path",
    [".env.example", "id_rsa.pub", "train.py", "keyboard.py", "monkey", "environment.yml",
     "src/credentials.py", "config.json", "cacert.pem", "tokens.txt", "secrets.py"],
)  # fmt: skip
def test_names_of_files_that_do_not(path: str) -> None:
    assert kind_of_name(path) is None


def test_values_are_looked_at_together_with_their_names() -> None:
    found = find_in_values(
        ["--lr", "0.1", "--api-key", RANDOM, f"--token={RANDOM}", "--name", "a1b2c3d4e5f6"],
        {"HF_TOKEN": RANDOM, "SEED": "1234567890123", "PASSWORD": "secret-of-my-life"},
    )
    places = ["arguments[3]", "arguments[4]", "environment variable HF_TOKEN"]
    assert [finding.place for finding in found] == places


def test_a_warning_names_places_and_never_the_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "train.py").write_text(f"import x\nTOKEN = '{GITHUB}'\n")
    (tmp_path / ".env").write_text(f"A={RANDOM}\n")
    (tmp_path / "model.bin").write_bytes(b"\0\1" + GITHUB.encode())
    spec = ScriptSpec(
        script="train.py",
        snapshot_id="0" * 64,
        arguments=("--password", RANDOM),
        environment=Environment(variables={"KEY": AWS}),
    )
    with caplog.at_level(logging.WARNING, "runhistory"):
        check_secrets(scan(tmp_path), spec)
    (record,) = caplog.records
    said = record.getMessage()
    assert ".env (environment variables)" in said
    assert "train.py:2 (" in said
    assert "arguments[1]" in said
    assert "environment variable KEY" in said
    assert ".amlignore" in said
    assert not any(secret in said for secret in (GITHUB, RANDOM, AWS))
    with pytest.raises(InvalidConfig, match="Nothing was sent"):
        check_secrets(scan(tmp_path), spec, strict=True)


def test_what_is_ignored_is_no_matter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / ".env").write_text(f"PASSWORD={RANDOM}\n")
    (tmp_path / ".amlignore").write_text(".env\n")
    check_secrets(scan(tmp_path), None, strict=True)
    assert not caplog.records
