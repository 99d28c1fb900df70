"""What is hidden by shape, by name and by value, and what only looks like it."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from midas_devops.config import Settings
from midas_devops.safety.redaction import Redactor
from midas_devops.safety.secret_names import holds_secret

HEX = "0123456789abcdef"
MIXED = "Ab0Cd1Ef2Gh3Ij4Kl5Mn6Op7Qr8St9Uv0Wx1Yz2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
BASIC = base64.b64encode(b"ana:open-sesame").decode()

BY_SHAPE = {
    "aws_access_key": "AKIA" + "Z" * 16,
    "google_api_key": "AIza" + MIXED[:35],
    "google_oauth": "ya29.a0Af" + MIXED,
    "github_token": "ghp_" + MIXED[:36],
    "gitlab_token": "glpat-" + MIXED[:20],
    "slack_token": "xoxb-123456789012-" + MIXED[:24],
    "jwt": JWT,
    "api_key": "sk-proj-" + MIXED,
    "npm_token": "npm_" + MIXED[:36],
    "pypi_token": "pypi-AgEIcHlwaS5vcmc" + MIXED,
    "huggingface_token": "hf_" + MIXED[:34],
    "digitalocean_token": "dop_v1_" + HEX * 4,
    "vault_token": "hvs." + MIXED,
    "terraform_token": MIXED[:14] + ".atlasv1." + MIXED * 2,
    "sendgrid_key": "SG." + MIXED[:22] + "." + MIXED,
    "docker_token": "dckr_pat_" + MIXED[:27],
    "databricks_token": "dapi" + HEX * 2,
    "azure_key": "x" * 86 + "==",
    "azure_client_secret": "abc8Q~" + MIXED[:34],
    "age_key": "AGE-SECRET-KEY-1" + "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L" * 2,
}


@pytest.mark.parametrize(("kind", "secret"), BY_SHAPE.items(), ids=BY_SHAPE)
@pytest.mark.parametrize("around", ["{}", "x {} y", '"{}"', "'{}',", "a={};", "({})", "{}\nnext", "log: {}."])
def test_a_secret_is_known_by_its_shape(kind: str, secret: str, around: str) -> None:
    redacted = Redactor().text(around.format(secret))
    assert redacted == around.format(f"[redacted:{kind}]")


@pytest.mark.parametrize("prefix", ["gho_", "ghs_", "ghu_", "ghr_", "github_pat_"])
def test_every_kind_of_github_token_is_hidden(prefix: str) -> None:
    assert Redactor().text(f"using {prefix}{MIXED[:36]}") == "using [redacted:github_token]"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://ana:pa55@db.example/x", "https://[redacted:url_credentials]@db.example/x"),
        ("postgresql+psycopg://u:p%40w@h:5432/d", "postgresql+psycopg://[redacted:url_credentials]@h:5432/d"),
        ("amqp://:only-a-password@mq", "amqp://[redacted:url_credentials]@mq"),
        ("redis://u:p@ss@h/0", "redis://[redacted:url_credentials]@h/0"),
        (r"https:\/\/ana:pa55@h\/x", r"https:\/\/[redacted:url_credentials]@h\/x"),
        (f"https://{MIXED}@github.com/a/b", "https://[redacted:url_credentials]@github.com/a/b"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted:authorization]"),
        ('{"Authorization": "token abcdef"}', '{"Authorization": "token [redacted:authorization]"}'),
        (
            f"curl -H 'authorization: basic {BASIC}'",
            "curl -H 'authorization: basic [redacted:authorization]'",
        ),
        (f"sent Basic {BASIC} to", "sent Basic [redacted:authorization] to"),
        (f"with BEARER {MIXED}", "with BEARER [redacted:authorization]"),
        (f"AccountName=a;AccountKey={MIXED}==;X=y", "AccountName=a;AccountKey=[redacted:azure_key];X=y"),
        (f"https://a.blob/c?sv=1&sig={MIXED}%3D&se=2", "https://a.blob/c?sv=1&sig=[redacted:azure_sas]&se=2"),
        (
            f"https://hooks.slack.com/services/T0/B0/{MIXED}",
            "https://hooks.slack.com/services/[redacted:slack_webhook]",
        ),
        (f"?X-Amz-Signature={HEX * 4}", "?X-Amz-Signature=[redacted:aws_signature]"),
        ("Set-Cookie: session=abcdef; Path=/", "Set-Cookie: [redacted:cookie]"),
        (f"AKIA{'A' * 16},{MIXED}/", "[redacted:aws_access_key],[redacted:aws_secret_key]"),
    ],
)
def test_only_the_secret_part_is_hidden(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("export DB_PASSWORD=swordfish", "export DB_PASSWORD=[redacted:value]"),
        ("DB_PASSWORD='sword fish'", "DB_PASSWORD='[redacted:value]'"),
        ('  password             = "hunter2hunter2"', '  password             = "[redacted:value]"'),
        ("password: hunter42", "password: [redacted:value]"),
        ("login failed with password 'sword fish' x", "login failed with password 'sword fish' x"),
        ("login failed with password 'swordfish1'", "login failed with password '[redacted:password]'"),
        ('{"clientSecret":"abcd1234","a":1}', '{"clientSecret":"[redacted:value]","a":1}'),
        (r"{\"api_key\": \"abcd\"}", r"{\"api_key\": \"[redacted:value]\"}"),
        ("--from-literal=token=abcdef12", "--from-literal=token=[redacted:value]"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "aws_secret_access_key = [redacted:value]"),
        ("X-Api-Key: abc123def", "X-Api-Key: [redacted:value]"),
        ("ENV['SECRET_KEY_BASE'] = 'abcdef'", "ENV['SECRET_KEY_BASE'] = '[redacted:value]'"),
        ("İ password=swordfish", "İ password=[redacted:value]"),
        ("ACCESS_TOKEN=abcdefgh&next=1", "ACCESS_TOKEN=[redacted:value]&next=1"),
    ],
)
def test_what_is_assigned_to_a_secret_name_is_hidden(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "integrity sha512-" + "x" * 86 + "==",
        'module.network["eu-west-1a"].aws_subnet.private[0] will be created',
        "  + password = (sensitive value)",
        "  + password = (known after apply)",
        "token = data.aws_eks_cluster_auth.this.token",
        "password = random_password.db.result",
        "password = var.db_password",
        "password = ${var.db_password}",
        "TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        'key = "prod/terraform.tfstate"',
        'kms_key_id = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"',
        'secret_name = "orders-database"',
        'secretKeyRef: {name: "orders", key: "password"}',
        'unexpected token: "}"',
        "Error: token expired",
        "password: incorrect password for user ana",
        "password=***",
        "https://user:***@example.com",
        "ssh://git@github.com/acme/orders.git",
        "git@github.com:acme/orders.git",
        "http://localhost:8080/x@y",
        "https://${USER}:${PASS}@example.com",
        "basic functionality works, Bearer authentication does not",
        "npm_config_registry npm_package_version npm_lifecycle_event",
        "pypi-publish is an action; sk-learn is not a key; risk-assessment-2024-for-the-management-board",
        "monkey=bananas turkey=sandwich keyboard=us-intl",
        "token_count=12345678 max_tokens=8000 primary_key=order_number",
        "eyJ is how a JWT begins",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0abcdefghijklmnopqrstuvwxyz0123456789ABC ana@host",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor().text(text) is text


KEY_LINES = [
    "-----BEGIN RSA PRIVATE KEY-----",
    *["MIIEpAIBAAKCAQEA" * 4] * 3,
    "abcd/123==",
    "-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("prefix", ["", "    ", "2026-01-01T00:00:00Z ", "[build] | ", "+ ", "> "])
def test_a_key_block_is_hidden_line_by_line(prefix: str) -> None:
    text = "\n".join(["before", *(prefix + line for line in KEY_LINES), "after"])
    lines = Redactor().text(text).split("\n")
    assert lines[0] == "before"
    assert lines[-1] == "after"
    assert len(lines) == len(KEY_LINES) + 2
    assert all(line.removeprefix(prefix) == "[redacted:private_key]" for line in lines[1:-1])


def test_a_key_block_on_one_line_is_hidden_in_place() -> None:
    block = json.dumps({"private_key_pem": "\n".join(KEY_LINES), "id": 7})
    assert Redactor().text(block) == '{"private_key_pem": "[redacted:private_key]", "id": 7}'


@pytest.mark.parametrize("kind", ["", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "])
def test_every_kind_of_private_key_is_hidden(kind: str) -> None:
    text = f"-----BEGIN {kind}PRIVATE KEY-----\n{'A' * 64}\n-----END {kind}PRIVATE KEY-----"
    assert Redactor().text(text) == "\n".join(["[redacted:private_key]"] * 3)


def test_the_headers_of_an_encrypted_key_belong_to_it() -> None:
    lines = [KEY_LINES[0], "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-128-CBC,AB12", "", *KEY_LINES[1:]]
    assert set(Redactor().text("\n".join(lines)).split("\n")) == {"", "[redacted:private_key]"}


def test_a_pgp_key_block_is_hidden() -> None:
    lines = [
        "-----BEGIN PGP PRIVATE KEY BLOCK-----",
        "",
        "x" * 64,
        "=abcd",
        "-----END PGP PRIVATE KEY BLOCK-----",
    ]
    assert set(Redactor().text("\n".join(lines)).split("\n")) == {"", "[redacted:private_key]"}


def test_a_key_that_is_cut_off_hides_what_is_there_and_nothing_after() -> None:
    text = "\n".join([*KEY_LINES[:3], "Error: the log goes on here, as it should", "exit status 1"])
    lines = Redactor().text(text).split("\n")
    assert lines[:3] == ["[redacted:private_key]"] * 3
    assert lines[3:] == ["Error: the log goes on here, as it should", "exit status 1"]


def test_prose_about_a_key_hides_only_the_words() -> None:
    text = "expected -----BEGIN PRIVATE KEY-----, found nothing\nterraform exited with 1"
    assert Redactor().text(text) == "expected [redacted:private_key], found nothing\nterraform exited with 1"


def test_a_key_block_is_hidden_in_a_stream_of_any_cut() -> None:
    lines = [f"{line}\n" for line in (["x" * 70_000, *KEY_LINES, "y" * 70_000] * 2)]
    redacted = list(Redactor().lines(iter(lines)))
    assert len(redacted) == len(lines)
    assert "".join(redacted) == Redactor().text("".join(lines))
    assert "MIIE" not in "".join(redacted)


def test_lines_without_ends_stay_without_ends() -> None:
    redactor = Redactor()
    redactor.learn(["open-sesame"])
    assert list(redactor.lines(["a", "b open-sesame", "c\n", "d"])) == ["a", "b [redacted:value]", "c\n", "d"]


def test_a_stream_is_not_read_ahead_without_need() -> None:
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield "z" * 1000 + "\n"

    next(Redactor().lines(endless()))
    assert taken < 100


ENVIRONMENT = {
    "GITHUB_TOKEN": "token-0123456789",
    "MY_SECRET": "secret-0123456789",
    "DB_PASSWORD": "password-0123456789",
    "OLD_PASSWD": "passwd-0123456789",
    "API_KEY": "key-0123456789",
    "APP_CREDENTIALS": "credential-0123456789",
    "lower_case_token": "lower-0123456789",
    "MODEL_AUTH": "named-in-midas-toml",
    "HOME": "/home/ana-0123456789",
    "SHORT_TOKEN": "1234567",
    "SSH_AUTH_SOCK": "/tmp/ssh-0123456789",
}


def test_every_variable_with_a_secret_s_name_is_known() -> None:
    settings = Settings.model_validate({"model": {"name": "m", "api_key_env": "MODEL_AUTH"}})
    redactor = Redactor.from_environment(ENVIRONMENT, settings)
    text = redactor.text("\n".join(ENVIRONMENT.values()))
    assert text.split("\n") == [
        *["[redacted:environment]"] * 8,
        "/home/ana-0123456789",
        "1234567",
        "/tmp/ssh-0123456789",
    ]


def test_values_learned_later_are_hidden_from_then_on() -> None:
    redactor = Redactor()
    assert redactor.text("open-sesame") == "open-sesame"
    redactor.learn(["open-sesame"], kind="terraform")
    assert redactor.text("<open-sesame>") == "<[redacted:terraform]>"


def test_blanks_around_a_value_do_not_matter() -> None:
    redactor = Redactor()
    redactor.learn(["  open-sesame\n"])
    assert redactor.text("x open-sesame y") == "x [redacted:value] y"


def test_long_lines_of_a_secret_are_hidden_on_their_own() -> None:
    redactor = Redactor()
    redactor.learn(["first-line-of-the-secret\nshort\nthird-line-of-the-secret"])
    assert redactor.text("10:00 third-line-of-the-secret") == "10:00 [redacted:value]"
    assert redactor.text("short") == "short"


def test_secrets_inside_a_json_document_in_a_variable_are_hidden() -> None:
    redactor = Redactor()
    redactor.learn(
        [json.dumps({"type": "service_account", "client_secret": "open-sesame", "id": "12345678"})]
    )
    assert redactor.text("open-sesame 12345678") == "[redacted:value] 12345678"


def test_base64_that_was_wrapped_into_lines_is_hidden() -> None:
    secret = "".join(chr(33 + at % 90) for at in range(300))
    redactor = Redactor()
    redactor.learn([secret])
    wrapped = base64.encodebytes(secret.encode()).decode()
    assert not set(wrapped.split("\n")[:-2]) & set(redactor.text(wrapped).split("\n"))


def test_the_longest_of_nested_secrets_gives_its_name() -> None:
    redactor = Redactor()
    redactor.learn(["open-sesame"], kind="inner")
    redactor.learn(["the-open-sesame-word"], kind="outer")
    assert redactor.text("x the-open-sesame-word") == "x [redacted:outer]"


def test_the_word_in_our_own_marker_is_no_secret() -> None:
    redactor = Redactor()
    redactor.learn(["redacted"])
    assert redactor.text("[redacted:value]") == "[redacted:value]"


def _words(text: str) -> list[str]:
    return text.split()


SECRET_NAMES = _words("""
    password Password db_password dbPassword DB_PASSWD pwd passphrase secret secrets client_secret
    clientSecret SECRET_KEY_BASE secret_id token auth_token authToken GITHUB_TOKEN access_tokens
    api_key apiKey apikey x-api-key OPENAI_API_KEY private_key privateKey private_key_pem access_key
    access_key_id AWS_SECRET_ACCESS_KEY account_key ssh_key signing_key credential credentials
    connection_string authorization Cookie key_material
""")
HARMLESS_NAMES = _words("""
    key keys Key sha256 primary_key foreign_key partition_key sort_key hash_key public_key publicKey
    cache_key idempotency_key key_name key_id kms_key_id key_pair key_vault_name keyboard monkey
    tokens token_count tokenCount max_tokens budget_tokens total_tokens token_budget token_env
    token_type tokenizer secret_name secret_arn secretName secret_version password_policy
    password_length credentials_id credentialsId digest secretary sort_keys name address commit _ __
""")


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_values_at_secret_names_are_hidden(name: str) -> None:
    assert Redactor().json({name: "whatever"}) == {name: "[redacted:value]"}


@pytest.mark.parametrize("name", [*HARMLESS_NAMES, ""])
def test_values_at_harmless_names_are_kept(name: str) -> None:
    assert not holds_secret(name)
    value = {name: ["whatever", 7, {"x": "y"}]}
    assert Redactor().json(value) == value


def test_everything_below_a_secret_name_is_hidden_but_its_structure() -> None:
    value = {"credentials": {"user": "ana", "list": ["a", None, True, ""], "number": 5}}
    assert Redactor().json(value) == {
        "credentials": {
            "user": "[redacted:value]",
            "list": ["[redacted:value]", None, True, ""],
            "number": 5,
        }
    }


@pytest.mark.parametrize(("name", "kept"), [("token", True), ("api_key", True), ("password", False)])
def test_numbers_are_secret_only_where_they_can_be_passwords(name: str, kept: bool) -> None:
    assert Redactor().json({name: 12345}) == {name: 12345 if kept else "[redacted:value]"}


def test_secrets_in_keys_and_tuples_are_hidden() -> None:
    redactor = Redactor()
    redactor.learn(["open-sesame"])
    assert redactor.json({"open-sesame": ("x", "open-sesame")}) == {
        "[redacted:value]": ["x", "[redacted:value]"]
    }


def test_a_redacted_document_stays_as_it_is() -> None:
    redactor = Redactor()
    once = redactor.json({"password": "x", "note": "token=abcdefgh1", "n": [{"api_key": "y"}]})
    assert redactor.json(once) == once


def test_threads_may_learn_and_redact_at_once() -> None:
    redactor = Redactor()
    failures: list[str] = []

    def work(number: int) -> None:
        for count in range(50):
            value = f"value-{number}-{count}-secret"
            redactor.learn([value])
            if value in redactor.text(f"x {value} y"):
                failures.append(value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
