"""Secrets at rest."""

import pickle

import pytest
from cryptography.fernet import Fernet

from fab_minicode.errors import ConfigurationError, SecretUnreadable
from fab_minicode.vault import Secret, Vault

OLD, NEW = (Fernet.generate_key().decode("ascii") for _ in range(2))
PLACE = "authorizers:sealed_secret:wx1"


def test_a_secret_is_opened_where_it_was_sealed():
    sealed = Vault([OLD]).seal(Secret("秘密\nwith a line"), PLACE)

    assert sealed.startswith("f1:")
    assert "秘密\nwith a line" == Vault([OLD]).open(sealed, PLACE).reveal()


def test_the_same_secret_is_never_sealed_to_the_same_text():
    vault = Vault([OLD])

    assert vault.seal(Secret("s"), PLACE) != vault.seal(Secret("s"), PLACE)


def test_a_sealed_text_that_was_copied_to_another_row_does_not_open_there():
    sealed = Vault([OLD]).seal(Secret("s"), PLACE)
    with pytest.raises(SecretUnreadable, match="another place"):
        Vault([OLD]).open(sealed, "authorizers:sealed_secret:wx2")


def test_a_flipped_bit_is_refused():
    sealed = Vault([OLD]).seal(Secret("s"), PLACE)
    for place in range(3, len(sealed)):
        # The lowest bit of a base64 letter may be padding: take the next letter but one.
        flipped = sealed[:place] + ("A" if sealed[place] != "A" else "Q") + sealed[place + 1 :]
        if flipped.rstrip("=")[:-1] == sealed.rstrip("=")[:-1]:
            continue
        with pytest.raises(SecretUnreadable):
            Vault([OLD]).open(flipped, PLACE)


@pytest.mark.parametrize("sealed", [None, "", "secret", "f1:", "f1:secret", "f2:abc", "f1:ключ", "\x00"])
def test_what_was_never_sealed_is_refused(sealed):
    with pytest.raises(SecretUnreadable):
        Vault([OLD]).open(sealed, PLACE)


def test_the_newest_key_seals_and_every_key_opens():
    before = Vault([OLD]).seal(Secret("s"), PLACE)
    both = Vault([NEW, OLD])

    assert "s" == both.open(before, PLACE).reveal()
    assert "s" == Vault([NEW]).open(both.seal(Secret("s"), PLACE), PLACE).reveal()
    with pytest.raises(SecretUnreadable, match="no configured key"):
        Vault([NEW]).open(before, PLACE)


def test_rotation_keeps_secret_and_place():
    before = Vault([OLD]).seal(Secret("s"), PLACE)
    both = Vault([NEW, OLD])
    after = both.rotate(before)

    assert (False, True) == (both.is_newest(before), both.is_newest(after))
    assert "s" == Vault([NEW]).open(after, PLACE).reveal()


@pytest.mark.parametrize("sealed", ["", "f1:", "secret", "f1:secret"])
def test_what_was_never_sealed_is_not_rotated(sealed):
    vault = Vault([OLD])

    assert vault.is_newest(sealed) is False
    with pytest.raises(SecretUnreadable):
        vault.rotate(sealed)


@pytest.mark.parametrize("keys", [[], [""], ["short"], [OLD, "x" * 44], [OLD[:-4]], ["ключ" * 11]])
def test_bad_keys_are_a_configuration_error_that_does_not_repeat_them(keys):
    with pytest.raises(ConfigurationError) as caught:
        Vault(keys)

    assert not any(key in str(caught.value) for key in keys if key)
    assert caught.value.__cause__ is None


def test_a_secret_shows_itself_nowhere():
    secret = Secret("hunter2")

    for shown in (str(secret), repr(secret), f"{secret}", f"{secret!r}", repr([secret]), str({"s": secret})):
        assert "hunter2" not in shown


def test_errors_carry_no_secret():
    sealed = Vault([OLD]).seal(Secret("hunter2"), PLACE)
    with pytest.raises(SecretUnreadable) as caught:
        Vault([OLD]).open(sealed, "elsewhere")

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert b"hunter2" not in pickle.dumps(str(caught.value))
