"""TF201: keys and credentials that would be packed, by their names and by their bytes.

Only unmistakable forms are searched: a rule that reports every `password =` would soon be switched
off. The forms are those that the issuers document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from twofold.check.packed_files import is_archive
from twofold.check.rule_table import WARNING, Violation
from twofold.source_analysis.expressions import expression
from twofold_build.globs import Globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode

#: Words of which one is in every such value, the form, and what it is.
_FORMS = (
    (
        ("PRIVATE KEY",),
        rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----\s*\n?[A-Za-z0-9+/=:\s-]{40}",
        "a private key",
    ),
    (("AKIA", "ASIA"), rb"A[KS]IA[0-9A-Z]{16}\b", "an access key of AWS"),
    (
        ("ghp_", "gho_", "ghs_", "ghu_", "github_pat_"),
        rb"(?:gh[opsu]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b",
        "a token of GitHub",
    ),
    (("glpat-",), rb"glpat-[A-Za-z0-9_-]{20,}", "a token of GitLab"),
    (("pypi-AgE",), rb"pypi-AgE[A-Za-z0-9_-]{60,}", "a token of PyPI"),
    (("xox",), rb"xox[abeoprs]-[0-9]{8,}-[A-Za-z0-9-]{20,}", "a token of Slack"),
    (("AIza",), rb"AIza[0-9A-Za-z_-]{35}\b", "an API key of Google"),
    (("k_live_",), rb"[rs]k_live_[0-9A-Za-z]{24,}\b", "a key of Stripe"),
    (("npm_",), rb"npm_[A-Za-z0-9]{36}\b", "a token of npm"),
    (("sk-",), rb"sk-(?:ant-api\d\d-|proj-)?[A-Za-z0-9_-]{48,}", "an API key"),
    (("hf_",), rb"hf_[A-Za-z]{34}\b", "a token of Hugging Face"),
    (
        ('"auths"',),
        rb'"auths"\s*:\s*\{\s*"[^"\n]+"\s*:\s*\{\s*"auth"\s*:\s*"[A-Za-z0-9+/=]{12,}"',
        "a login of Docker",
    ),
    (
        ("client-key-data",),
        rb"client-key-data[\"']?\s*:\s*[\"']?[A-Za-z0-9+/=]{60,}",
        "a key of Kubernetes",
    ),
    (("SG.",), rb"SG\.[\w-]{22}\.[\w-]{43}\b", "a key of SendGrid"),
)
#: Without one of these words a file holds none of the forms.
SIGNS = tuple(sign for signs, _, _ in _FORMS for sign in signs)
_KEY, _STORE, _SETTINGS = "a key", "a store of keys", "settings with secrets"
#: What a test suite may bring on purpose.
_KEYS = frozenset([_KEY, _STORE, "an SSH key", "a private key"])
#: File names, in lower case, and what such a file is.
_NAMES = (
    (r"id_(?:rsa|dsa|ecdsa|ed25519)", "an SSH key"),
    (r".*\.(?:p12|pfx|jks|keystore|ppk|kdbx?)", _STORE),
    (r".*\.(?:key|secret)", _KEY),
    (r"\.env(?:rc)?(?:\.(?!example$|sample$|template$|dist$|defaults?$|md$).+)?", _SETTINGS),
    (r"\.(?:pypirc|netrc|git-credentials|htpasswd|npmrc|pgpass|condarc)|_netrc", "credentials"),
    (r"\.(?:my\.cnf|s3cfg|boto|dockercfg|vault-token|yarnrc\.yml)", "credentials"),
    (r"credentials(?:\.(?:json|ya?ml|toml|ini|csv))?", "credentials"),
    (r"(?:client_secret|service[-_]account).*\.json", "credentials"),
    (r"kubeconfig|.+\.kubeconfig", "credentials"),
    (r".+\.tfstate(?:\.backup)?", _SETTINGS),
    (r"secrets?\.(?:json|ya?ml|toml|ini|env|txt)", "secrets"),
)
#: In each of these names is one of these words, or a dot at its beginning.
_WORDS_OF_NAMES = (
    *("id_", ".p12", ".pfx", ".jks", ".keystore", ".ppk", ".kdb", ".key", "secret", "netrc"),
    *("credentials", "service", "kubeconfig", ".tfstate"),
)
_COMPILED_NAMES = [(expression(pattern), what) for pattern, what in _NAMES]
#: Public keys and the like: named as if secret, and known not to be by what is in them.
_PUBLIC = expression(
    rb"\A\s*(?:-----BEGIN (?:PUBLIC KEY|CERTIFICATE|PGP PUBLIC)|ssh-(?:rsa|ed25519) )"
)
#: Settings of tools that seldom hold a credential: only these words make one of them.
_HARMLESS = (
    ((".npmrc", ".yarnrc.yml"), expression(rb"_auth|_password|authtoken", re.IGNORECASE)),
    ((".condarc",), expression(rb"/t/|://[^/\s]+@|token|password", re.IGNORECASE)),
)
#: Names whose contents have lines `key = value`: harmless where no value can be a secret.
_OF_VALUES = expression(
    r".+\.(?:json|ya?ml|toml|ini|env|txt|key|secret)|\.pypirc|credentials|\.env\..+|\.envrc.*"
)
_PLACEHOLDER = expression(rb"EXAMPLE|example|X{6,}|x{6,}|0{10,}|placeholder|1234567890")


#: Of the last sixteen of a random value so many differ, but for three in a hundred thousand (of
#: hexadecimal digits).
_FEWEST_CHARACTERS = 6
#: Folders and modules of tests and examples: a key in one of them is there to be used by these.
_TEST_FOLDER = expression(
    r"(?:.*[-_.])?tests?(?:[-_.].*)?|unittests?|testing|testsuite|fixtures?|t"
    r"|(?:examples?|samples?|demos?)|(?:dummy|fake|mock).*|test[-_]?(?:data|keys|certs)",
    re.I | re.S,
)
_TEST_MODULE = expression(r"(?:test_.*|.*_tests?|conftest)\.py", re.I)


def secret(code: SourceCode) -> Iterator[Violation]:
    """TF201. A key or a made-up setting for tests that is in the sdist alone is a warning."""
    allowed = Globs(code.allow)
    for path, data in code.files.items():
        inside = code.inner_path(path)
        if data == b"" or (allowed and allowed.match(inside)):
            continue  # nothing is in an empty file, whatever its name
        found = find_secret(inside, data or b"", code.may_hold_secret(path))
        member = ""
        if not found and data and is_archive(data):
            from twofold.check.rules.nested_archives import read_members  # seldom there

            for name, inner in read_members(data, inside):
                if found := find_secret(name, inner):
                    member = f" in it, '{name}',"
                    break
        if found:
            what, line = found
            line = 0 if member else line
            is_for_tests = (
                _is_of_tests(inside)
                and code.is_only_in_sdist(path)
                and (what in _KEYS or _is_made_up(inside, data or b""))
            )
            yield Violation(
                f"{f'the file{member}' if member else 'it'} looks like {what}, and would be "
                "published with the package",
                "remove it from the package, and revoke it if it was ever shared; "
                f'if it is not a secret, write [tool.twofold.check] allow = ["{inside}"]',
                f"{path}:{line}" if line else path,
                severity=WARNING if is_for_tests else "",
            )


def _is_of_tests(path: str) -> bool:
    *folders, name = path.split("/")
    return any(map(_TEST_FOLDER.fullmatch, folders)) or bool(_TEST_MODULE.fullmatch(name))


def find_secret(path: str, data: bytes, may_hold_form: bool = True) -> tuple[str, int] | None:
    """What a file holds that should stay secret, and on which line (0: the file itself).

    `path` is the path inside the project or the archive. Without `may_hold_form` it is known
    that none of the forms is in its bytes.
    """
    if may_hold_form and (found := _find_form(data)):
        return found
    name = path.rpartition("/")[2].lower()
    if name.endswith((".py", ".pyi", ".md", ".rst")):
        return None
    for names, words in _HARMLESS:
        if name in names and not words.search(data):
            return None
    if not name.startswith(".") and not any(word in name for word in _WORDS_OF_NAMES):
        return None
    for pattern, what in _COMPILED_NAMES:
        if pattern.fullmatch(name) and not _PUBLIC.match(data) and not _is_harmless(name, data):
            return what, 0
    return None


def _find_form(data: bytes) -> tuple[str, int] | None:
    """The first of the forms that is in a file, and its line."""
    for signs, form, what in _FORMS:
        if not any(sign.encode() in data for sign in signs):
            continue
        for found in re.finditer(form, data):
            before = data[max(found.start() - 1, 0) : found.start()]
            is_made_up = _PLACEHOLDER.search(found.group()) or _repeats(found.group())
            if not before.isalnum() and not is_made_up:
                return what, data.count(b"\n", 0, found.start()) + 1
    return None


def _repeats(value: bytes) -> bool:
    """Whether a value ends in a few characters over and over, as no random one does."""
    return len(set(value[-16:])) < _FEWEST_CHARACTERS


def _is_harmless(name: str, data: bytes) -> bool:
    """Whether the contents show that a file is a schema, a template or a text."""
    if not data or not _OF_VALUES.fullmatch(name):
        return False
    suffix = ".envrc" if name.startswith(".envrc") else f".{name.rpartition('.')[2]}"
    return _has_plain_values(data, ".yaml" if suffix == ".yml" else suffix)


def _is_made_up(path: str, data: bytes) -> bool:
    """Whether the values in a `.env` or `.netrc` are words and placeholders, as tests have them."""
    name = path.rpartition("/")[2].lower()
    if name in (".netrc", "_netrc"):
        return _has_plain_values(data, ".netrc")
    return name.startswith(".env") and _has_plain_values(data, ".dotenv")


def _has_plain_values(data: bytes, suffix: str) -> bool:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    from twofold.check.rules.secret_values import holds_no_secret  # many expressions, seldom used

    return holds_no_secret(text, suffix)
