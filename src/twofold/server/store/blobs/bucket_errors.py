"""What an error of obstore means: its text names the request first and the cause far below."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_AGAIN = "try again; see the server's --objects"
_KEYS = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the server"

#: Error code of S3 -> what helps.
_HINTS = {
    "NoSuchBucket": "make the bucket, or correct the server's --objects",
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "ExpiredToken": "renew AWS_SESSION_TOKEN of the server",
    "AccessDenied": "let the server's key list, read, write and delete objects of the bucket",
    "RequestTimeTooSkewed": "set this machine's clock by NTP",
    "PermanentRedirect": "name the bucket's region in --objects: s3://bucket?region=...",
    "AuthorizationHeaderMalformed": "name the bucket's region in --objects: s3://bucket?region=...",
}

#: Where machines of a cloud ask for keys (link-local, the same in all of them): the last resort.
_MACHINE_KEYS = "//169.254.169.254/"

#: Part of obstore's debug text -> what went wrong with the connection.
_CONNECTING = {
    "dns error": "the host cannot be found",
    "ConnectionRefused": "the connection is refused",
    "invalid peer certificate": "its certificate is refused",
    "InvalidContentType": "it does not speak TLS",
    "TimedOut": "it does not answer in time",
    "kind: Timeout": "it does not answer in time",
}


def explain_bucket_error(text: str) -> tuple[str, str]:
    """Return the reason of an error, of at most 200 characters, and a hint."""
    if _MACHINE_KEYS in text:
        reason = "there are no keys, and this machine has no role that gives some"
        return reason, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the server"
    answer = re.search(r"<Code>(\w+)</Code>(?:\s*<Message>([^<]*)</Message>)?", text)
    if answer is not None:
        code, message = answer[1], (answer[2] or "").strip()
        return f"{message} ({code})"[:200] if message else code, _HINTS.get(code, _AGAIN)
    request = re.search(r"Error performing \w+ (https?://\S+)", text)
    cause = next((cause for part, cause in _CONNECTING.items() if part in text), "")
    if request is not None and cause:
        parts = urlsplit(request[1])
        return f"{parts.scheme}://{parts.netloc}: {cause}"[:200], _AGAIN
    return text.partition("\n")[0][:200], _AGAIN
