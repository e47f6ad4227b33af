"""Make the attestations that `publish --attestations` sends: signed by the identity of a CI run.

pypi-attestations makes those of wheels and sdists (PEP 740), sigstore those of conda packages
(CEP 27). Both ask Fulcio for a certificate of some minutes and write to a public log, which cannot
be undone, so nothing is signed before the upload is confirmed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from twofold.errors import Problem, TwofoldError, Unreachable
from twofold.extras import require_extra
from twofold.fetching import require_online
from twofold.publish.files import CONDA_PUBLISH, ReleaseFile
from twofold.publish.plan import Action, Plan, Step
from twofold_build.atomic import write_atomically

#: The audience that Sigstore wants in an identity token.
AUDIENCE = "sigstore"

#: A client trust configuration (JSON) of another Sigstore than the public one.
TRUST_CONFIG = "TWOFOLD_SIGSTORE_TRUST_CONFIG"

#: The rule of a step that cannot be attested.
NO_ATTESTATION = ("no-attestation",)

HINT = (
    "run it in CI (GitHub: `permissions: id-token: write`; GitLab: an `id_tokens` entry "
    "SIGSTORE_ID_TOKEN with the audience sigstore), or leave out --attestations"
)


def needs_attestation(step: Step) -> bool:
    """Whether a file is uploaded without an attestation to a target that takes one."""
    is_taken = step.file.artifact.kind in step.target.attestation_kinds
    return step.action is Action.UPLOAD and is_taken and not step.file.attestations


def plan_attestations(plan: Plan) -> Plan:
    """Say of each file that an attestation will be made, or refuse it with the reason why not."""
    problem = _find_problem() if any(map(needs_attestation, plan.steps)) else None
    return Plan(tuple(_plan_step(step, problem) for step in plan.steps))


def _plan_step(step: Step, problem: Problem | None) -> Step:
    if not needs_attestation(step):
        is_silent = step.action is Action.UPLOAD and not step.file.attestations
        unsupported = "; attestations are not supported there" if is_silent else ""
        return replace(step, reason=step.reason + unsupported)
    if problem is None:
        return replace(step, reason=f"{step.reason}, with an attestation that is made for it")
    refused = replace(step, action=Action.REFUSED, reason=problem.message, hint=problem.hint)
    return replace(refused, rules=NO_ATTESTATION)


def _find_problem() -> Problem | None:
    """Why no attestation can be made here; None if this run has an identity."""
    try:
        require_extra("attest")
        _request_identity()
    except TwofoldError as error:
        return error.problems[0]
    return None


def _request_identity() -> str:
    from id import AmbientCredentialError, detect_credential

    try:
        token = detect_credential(AUDIENCE)
    except AmbientCredentialError as error:
        raise TwofoldError(f"no attestation can be made: {error}", HINT) from error
    if token is None:
        raise TwofoldError("no attestation can be made: no CI system gives an identity", HINT)
    return str(token)


def sign_missing(plan: Plan, report: Callable[[str], None]) -> Plan:
    """Sign the files that need an attestation, and write it beside each of them.

    Raises TwofoldError or Unreachable; nothing has been uploaded then.
    """
    wanted = {step.file.name: step.file for step in plan.steps if needs_attestation(step)}
    if not wanted:
        return plan
    signed = {}
    with _open_signer() as signer:
        for name, file in wanted.items():
            signed[name] = replace(file, attestations=(_sign(file, signer),))
            report(f"attested {name}: {signed[name].attestations[0].name}")
    steps = (
        replace(step, file=signed[step.file.name]) if needs_attestation(step) else step
        for step in plan.steps
    )
    return Plan(tuple(steps))


@contextmanager
def _open_signer() -> Iterator[Any]:
    """A signer of sigstore with the identity of this run; its errors in our words."""
    require_extra("attest")
    require_online("Sigstore")
    import requests
    from pypi_attestations import AttestationError
    from sigstore.errors import Error
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityError, IdentityToken
    from sigstore.sign import SigningContext

    identity = _request_identity()
    file = os.environ.get(TRUST_CONFIG)
    try:
        trust = (
            ClientTrustConfig.from_json(Path(file).read_text("utf-8"))
            if file
            else ClientTrustConfig.production()
        )
        with SigningContext.from_trust_config(trust).signer(IdentityToken(identity)) as signer:
            yield signer
    except IdentityError as error:
        message = f"the identity token of this run is not one for Sigstore: {error}"
        raise TwofoldError(message, HINT) from None
    except (AttestationError, Error, requests.RequestException, OSError, ValueError) as error:
        raise _make_error(error, identity) from None
    except Exception as error:
        # Clients of Fulcio and Rekor raise classes of their own, which sigstore does not export.
        if not type(error).__module__.startswith(("sigstore.", "tuf.", "securesystemslib.")):
            raise
        raise _make_error(error, identity) from None


def _make_error(error: Exception, identity: str) -> Unreachable:
    reason = " ".join(str(error).split()).replace(identity, "***") or type(error).__name__
    return Unreachable(
        f"Sigstore made no attestation: {reason[:300]}",
        "nothing was uploaded: run the same command again, or leave out --attestations",
    )


def _sign(file: ReleaseFile, signer: Any) -> Path:
    """Sign one file; returns the path of its attestation, as the signing tools name it."""
    path = file.artifact.path
    if file.artifact.kind.is_conda:
        target, text = path.with_name(f"{file.name}.sigstore.json"), _sign_conda(file, signer)
    else:
        from pypi_attestations import Attestation, Distribution

        made = Attestation.sign(signer, Distribution.from_file(path))
        target, text = path.with_name(f"{file.name}.publish.attestation"), made.model_dump_json()
    write_atomically(target, text.encode())
    return target


def _sign_conda(file: ReleaseFile, signer: Any) -> str:
    from sigstore.dsse import DigestSet, StatementBuilder, Subject

    subject = Subject(name=file.name, digest=DigestSet(root={"sha256": file.artifact.sha256}))
    statement = (
        StatementBuilder().subjects([subject]).predicate_type(CONDA_PUBLISH).predicate({}).build()
    )
    return str(signer.sign_dsse(statement).to_json())
