"""Keys: the master key of the installation, and each campaign's own, wrapped by it.

A liker is stored as HMAC-SHA-256(campaign key, realm, actor id), cut to 128 bits. Destroying the wrapped key makes
every pseudonym of the campaign unlinkable and every sealed handle unreadable, for good.
"""

import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harvester.config import KeySettings, read_secret_file
from harvester.errors import ConfigError

_PSEUDONYM_BYTES = 16


@dataclass(frozen=True, slots=True)
class CampaignKey:
    """The secret of one campaign: names its likers and seals their handles."""

    _secret: bytes = field(repr=False)

    def pseudonyms(self, realm: str, actors: Iterable[str]) -> list[bytes]:
        """Give the 16 bytes that stand for each liker in this campaign."""
        of_realm = hmac.new(self._secret, f"{realm}\0".encode(), "sha256")
        return [_finish(of_realm.copy(), actor) for actor in actors]

    def seal(self, handles: Mapping[bytes, str]) -> bytes:
        """Encrypt the handles of some likers, by pseudonym."""
        return self._box().encrypt(msgspec.json.encode({liker.hex(): handle for liker, handle in handles.items()}))

    def unseal(self, box: bytes) -> dict[bytes, str]:
        """Give back what `seal` was given."""
        sealed = msgspec.json.decode(self._box().decrypt(box), type=dict[str, str])
        return {bytes.fromhex(liker): handle for liker, handle in sealed.items()}

    def _box(self) -> Fernet:
        return Fernet(urlsafe_b64encode(hmac.digest(self._secret, b"handles", "sha256")))


class MasterKey:
    """Wraps the keys of campaigns; kept in a 0600 file or an environment variable, never in the database."""

    def __init__(self, text: str, where: str) -> None:
        self._where = where
        try:
            self._fernet = Fernet(text)
        except ValueError as error:
            raise ConfigError(
                f"{where} does not hold a master key: expected the line that 'harvester init' wrote"
            ) from error

    @classmethod
    def load(cls, settings: KeySettings) -> "MasterKey":
        """Take the key from the environment, or from its file if only its owner can read that."""
        if settings.master:
            return cls(settings.master.get_secret_value(), "HARVESTER_KEYS__MASTER")
        path = settings.master_file
        if not path.exists():
            raise ConfigError(
                f"there is no master key at {path}: run 'harvester init', or restore the file from your safe"
            )
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} can be read by others: run chmod 600 {path}")
        return cls(read_secret_file(path), str(path))

    def new_campaign_key(self) -> bytes:
        """Make a campaign's key and give it wrapped."""
        return self._fernet.encrypt(secrets.token_bytes(32))

    def open_campaign_key(self, sealed: bytes, campaign: str) -> CampaignKey:
        """Unwrap a campaign's key; `ConfigError` when another master key wrapped it."""
        try:
            return CampaignKey(self._fernet.decrypt(sealed))
        except InvalidToken as error:
            raise ConfigError(
                f"the key in {self._where} does not open campaign {campaign!r}: another master key made it"
            ) from error

    def seal(self, content: bytes) -> bytes:
        """Encrypt what only this installation may read."""
        return self._fernet.encrypt(content)

    def unseal(self, box: bytes, what: str) -> bytes:
        """Give back what `seal` was given; `ConfigError` names it when another master key sealed it."""
        try:
            return self._fernet.decrypt(box)
        except InvalidToken as error:
            raise ConfigError(f"the key in {self._where} does not open {what}: another master key sealed it") from error


def create_key_files(settings: KeySettings) -> tuple[Path, ...]:
    """Write the master and the signing key where there is none yet, for their owner alone; give what was made."""
    wanted = {settings.signing_file: _new_signing_key()}
    if not settings.master:
        wanted[settings.master_file] = Fernet.generate_key() + b"\n"
    made = tuple(path for path in wanted if not path.exists())
    for path in made:
        _write_private(path, wanted[path])
    return made


def _finish(mac: hmac.HMAC, actor: str) -> bytes:
    mac.update(actor.encode())
    return mac.digest()[:_PSEUDONYM_BYTES]


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write_private(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {(error.strerror or str(error)).lower()}") from error
