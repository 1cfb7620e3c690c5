"""Keys have the text form of NATS' nkeys, and their files are private."""

import stat

import pytest

from probe.base.errors import UserError
from probe.protocol import keys
from probe.protocol.keys import Key, KeyTextError

# The example pair in NATS' documentation.
SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"


def test_the_published_pair_of_nats_is_read_and_written():
    """Our text form is the same as theirs, checksum included."""
    key = Key.from_seed(SEED, "user")
    assert key.id == PUBLIC
    assert key.seed == SEED


@pytest.mark.parametrize(("kind", "letters"), [("user", "U"), ("operator", "O")])
def test_a_new_key_signs_what_its_id_verifies(kind, letters):
    """Id and seed begin with their kind's letter; a signature is valid for its bytes and its key only."""
    key, other = Key.create(kind), Key.create(kind)
    signature = key.sign(b"words")
    assert key.id[0] == letters
    assert key.seed[:2] == "S" + letters
    assert keys.is_id(key.id, kind)
    assert keys.verify(key.id, signature, b"words")
    assert not keys.verify(key.id, signature, b"Words")
    assert not keys.verify(other.id, signature, b"words")
    assert not keys.verify(key.id, signature[:-1], b"words")


@pytest.mark.parametrize(
    "text",
    ["", "U", PUBLIC[:-1], PUBLIC + "A", PUBLIC.lower(), PUBLIC[:10] + "A" + PUBLIC[11:], SEED, "U" * 56, "é" * 56],
)
def test_other_texts_are_no_ids(text):
    """A text that was cut, changed, or means something else is no id, and raises nothing."""
    assert not keys.is_id(text, "user")
    assert not keys.verify(text, bytes(64), b"")


def test_a_key_of_the_other_kind_is_refused():
    """A user's key can't be used as an operator's."""
    assert not keys.is_id(PUBLIC, "operator")
    with pytest.raises(KeyTextError, match="operator"):
        Key.from_seed(SEED, "operator")
    with pytest.raises(KeyTextError, match="not a seed"):
        Key.from_seed(PUBLIC, "user")


def test_a_key_file_is_made_once_and_readable_by_its_owner_only(tmp_path):
    """The second start loads the same key."""
    path = tmp_path / "new" / "probe.key"
    key = Key.load_or_create(path, "user")
    assert Key.load_or_create(path, "user").id == key.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert key.seed not in repr(key)


@pytest.mark.parametrize(("text", "message"), [("", "checksum"), ("nonsense!", "base32"), (PUBLIC, "not a seed")])
def test_a_damaged_key_file_is_named(tmp_path, text, message):
    """The message names the file, and the damaged key isn't replaced by a new one."""
    path = tmp_path / "probe.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UserError, match=f"probe.key.*{message}"):
        Key.load_or_create(path, "user")
    assert path.read_text() == text


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    """The message says how to fix it."""
    path = tmp_path / "probe.key"
    path.write_text(SEED)
    path.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        Key.load_or_create(path, "user")
