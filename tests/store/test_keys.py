"""Keys: files for their owner alone, and pseudonyms that say nothing outside their campaign."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from harvester.config import KeySettings
from harvester.errors import ConfigError
from harvester.store.keys import CampaignKey, MasterKey, create_key_files

A_KEY = CampaignKey(b"k" * 32)


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., KeySettings]:
    def make(**wanted: object) -> KeySettings:
        places = {"master_file": tmp_path / "keys" / "master.key", "signing_file": tmp_path / "keys" / "signing.key"}
        return KeySettings.model_validate(places | wanted)

    return make


def a_master() -> MasterKey:
    return MasterKey(Fernet.generate_key().decode(), "the test's key")


# Files


def test_key_files_are_for_their_owner_alone(settings) -> None:
    before = os.umask(0)
    try:
        made = create_key_files(settings())
    finally:
        os.umask(before)

    assert {path.name for path in made} == {"master.key", "signing.key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o600}
    assert stat.S_IMODE(made[0].parent.stat().st_mode) == 0o700


def test_key_files_that_are_there_are_kept(settings) -> None:
    first = create_key_files(settings())
    contents = {path: path.read_bytes() for path in first}

    assert create_key_files(settings()) == ()
    assert {path: path.read_bytes() for path in first} == contents


def test_no_master_key_is_written_beside_one_in_the_environment(settings) -> None:
    made = create_key_files(settings(master=SecretStr(Fernet.generate_key().decode())))

    assert [path.name for path in made] == ["signing.key"]


def test_the_signing_key_is_an_ed25519_key(settings) -> None:
    create_key_files(settings())

    assert isinstance(load_pem_private_key(settings().signing_file.read_bytes(), None), Ed25519PrivateKey)


def test_a_place_where_no_key_can_be_written_is_one_line(settings, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("not a folder")

    with pytest.raises(ConfigError, match=r"^.*signing\.key cannot be written: [^\n]+$"):
        create_key_files(settings())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o666, 0o620])
def test_a_master_key_that_others_can_read_is_refused(settings, mode: int) -> None:
    create_key_files(settings())
    path = settings().master_file
    path.chmod(mode)

    with pytest.raises(ConfigError, match=rf"^{path} can be read by others: run chmod 600 {path}$"):
        MasterKey.load(settings())


def test_a_missing_master_key_says_what_to_do(settings) -> None:
    with pytest.raises(ConfigError, match=r"^there is no master key at .*: run 'harvester init', or restore the file"):
        MasterKey.load(settings())


@pytest.mark.parametrize("content", [b"", b"hunter2", b"\xff\xfe", "كلمة".encode(), b"a" * 44, b"hunter2\nhunter2"])
def test_a_file_that_holds_no_master_key_is_one_line_that_does_not_show_it(settings, content: bytes) -> None:
    create_key_files(settings())
    settings().master_file.write_bytes(content)

    with pytest.raises(ConfigError, match=r"^[^\n]*master\.key[^\n]*$") as refused:
        MasterKey.load(settings())

    assert "hunter2" not in str(refused.value)


def test_the_environment_goes_before_the_file(settings) -> None:
    create_key_files(settings())
    of_the_file = MasterKey.load(settings())
    of_the_environment = MasterKey.load(settings(master=SecretStr(Fernet.generate_key().decode())))

    with pytest.raises(ConfigError, match=r"^the key in HARVESTER_KEYS__MASTER does not open campaign 'afcon'"):
        of_the_environment.open_campaign_key(of_the_file.new_campaign_key(), "afcon")


@pytest.mark.parametrize("text", ["hunter2", "{", "كلمة"])
def test_a_wrong_key_in_the_environment_is_one_line_that_does_not_show_it(settings, text: str) -> None:
    with pytest.raises(ConfigError, match=r"^HARVESTER_KEYS__MASTER does not hold a master key[^\n]*$") as refused:
        MasterKey.load(settings(master=SecretStr(text)))

    assert text not in str(refused.value)


def test_an_empty_key_in_the_environment_is_none_for_init_too(settings) -> None:
    empty = settings(master=SecretStr(""))
    create_key_files(empty)

    MasterKey.load(empty)


# Campaign keys


def test_a_campaign_key_comes_out_as_it_went_in(settings) -> None:
    master = a_master()
    sealed = master.new_campaign_key()

    assert master.open_campaign_key(sealed, "a") == master.open_campaign_key(sealed, "a")


@pytest.mark.parametrize("sealed", [b"", b"rubbish", Fernet(Fernet.generate_key()).encrypt(b"another master's")])
def test_a_key_that_another_master_key_sealed_is_one_line(sealed: bytes) -> None:
    with pytest.raises(
        ConfigError, match=r"^the key in the test's key does not open campaign 'afcon': another master key made it$"
    ):
        a_master().open_campaign_key(sealed, "afcon")


def test_a_key_does_not_show_itself() -> None:
    assert repr(A_KEY) == "CampaignKey()"


def pseudonym(key: CampaignKey, realm: str, actor: str) -> bytes:
    [only] = key.pseudonyms(realm, [actor])
    return only


def test_a_pseudonym_is_the_same_every_time_and_in_any_company() -> None:
    alone = pseudonym(A_KEY, "mastodon:social.example", "109")
    among_others = A_KEY.pseudonyms("mastodon:social.example", ["1", "109", "109", ""])

    assert (among_others[1:3], len(set(among_others)), len(alone)) == ([alone, alone], 3, 16)


def test_a_pseudonym_stays_what_it_was_in_the_first_release() -> None:
    """Another value would count every known liker a second time."""
    assert pseudonym(A_KEY, "mastodon:social.example", "109").hex() == "c755c7aa63146bcad475829397ae0996"


def test_pseudonyms_differ_by_campaign_realm_and_actor() -> None:
    master = a_master()
    keys = [master.open_campaign_key(master.new_campaign_key(), "a") for _ in range(2)]
    pseudonyms = {pseudonym(key, realm, actor) for key in keys for realm in ("a", "b") for actor in ("1", "2")}

    assert len(pseudonyms) == 8


@given(
    one=st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.text()),
    other=st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.text()),
)
def test_no_two_likers_share_a_pseudonym(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert (pseudonym(A_KEY, *one) == pseudonym(A_KEY, *other)) == (one == other)


@given(handles=st.dictionaries(st.binary(min_size=16, max_size=16), st.text(max_size=60), max_size=20))
def test_handles_are_sealed_and_come_back(handles: dict[bytes, str]) -> None:
    box = A_KEY.seal(handles)

    assert A_KEY.unseal(box) == handles
    assert all(handle.encode() not in box for handle in handles.values() if len(handle) > 3)


def test_handles_open_with_their_own_campaigns_key_only() -> None:
    box = A_KEY.seal({b"l" * 16: "amal@social.example"})

    with pytest.raises(InvalidToken):
        CampaignKey(b"o" * 32).unseal(box)
