"""The contract of a publish target, as a pytest class.

    from twofold.contracts.targets import TargetContract

    class TestAcme(TargetContract):
        @pytest.fixture
        def target(self, acme_server):
            settings = TargetSettings("acme", acme_server.url, "acme", token=Secret("..."))
            with closing(connect(settings, credentials, RetryPolicy(attempts=2))) as target:
                yield target

`target` is a target that is open and empty, with permission to upload; each test gets a new place.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from twofold.artifact import Kind
from twofold.contracts.samples import make_sample
from twofold.errors import Refused
from twofold.publish.files import ReleaseFile
from twofold.publish.journal import Journal
from twofold.publish.plan import Action, make_plan
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import carry_out
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.protocol import AlreadyPublishedError, Target


class TargetContract:
    """What `twofold publish` relies on; subclass it and write the fixture `target`."""

    @pytest.fixture
    def target(self) -> Target:
        """An open, empty target with permission to upload."""
        raise NotImplementedError("write the fixture `target`")

    @pytest.fixture
    def file(self, target: Target, tmp_path: Path) -> ReleaseFile:
        """A file of a kind that the target gets by default."""
        return make_sample(tmp_path / "first", self.choose_kind(target))

    @pytest.fixture
    def other(self, target: Target, tmp_path: Path) -> ReleaseFile:
        """A file of the same name with other contents."""
        return make_sample(tmp_path / "other", self.choose_kind(target), code="y = 2\n")

    def choose_kind(self, target: Target) -> Kind:
        """The kind of file to try the target with."""
        return next(kind for kind in Kind if kind in target.default_kinds)

    def test_it_describes_itself(self, target: Target) -> None:
        assert target.settings.kind in KINDS
        assert target.default_kinds
        assert target.default_kinds <= target.accepts
        assert target.attestation_kinds <= target.accepts
        assert isinstance(target.account, str) and target.account
        assert isinstance(target.whoami(), str)
        assert all(rule.__name__.isidentifier() for rule in target.rules)

    def test_a_new_file_is_absent_and_may_be_uploaded(
        self, target: Target, file: ReleaseFile
    ) -> None:
        assert target.preflight([file]) is None
        seen = target.probe(file)
        assert seen.state in ("absent", "unknown")
        assert seen.refusal is None

    def test_a_file_is_there_after_its_upload_and_comes_back_unchanged(
        self, target: Target, file: ReleaseFile
    ) -> None:
        sent: list[int] = []
        url = target.send(file, sent.append)
        assert isinstance(url, str)
        assert all(count >= 0 for count in sent)
        if target.is_readable:
            assert target.fetch(file).is_ours(file.artifact)
            assert target.probe(file).is_ours(file.artifact)

    def test_the_same_file_twice_is_no_other_file(self, target: Target, file: ReleaseFile) -> None:
        target.send(file, lambda _: None)
        try:
            target.send(file, lambda _: None)
        except AlreadyPublishedError as error:
            assert error.hint
        if target.is_readable:
            assert target.fetch(file).is_ours(file.artifact)

    def test_a_name_is_never_given_to_other_contents(
        self, target: Target, file: ReleaseFile, other: ReleaseFile
    ) -> None:
        target.send(file, lambda _: None)
        if not target.is_readable:
            pytest.skip("the target cannot be read")
        seen = target.probe(other)
        assert seen.state == "present"
        assert not seen.is_ours(other.artifact)
        try:
            target.send(other, lambda _: None)
        except Refused as error:
            assert error.problems[0].message
        assert target.fetch(file).is_ours(file.artifact)

    def test_a_plan_uploads_once_and_then_has_nothing_to_do(
        self, target: Target, file: ReleaseFile, tmp_path: Path
    ) -> None:
        journal = Journal(tmp_path / ".twofold-publish.json")
        plan = make_plan([file], [target], journal, named=True)
        assert [step.action for step in plan.steps] == [Action.UPLOAD]
        assert len(carry_out(plan, journal, RetryPolicy(attempts=2), lambda _: None)) == 1
        again = make_plan([file], [target], journal, named=True)
        assert [step.action for step in again.steps] == [Action.NOTHING]
