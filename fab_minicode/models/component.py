"""The third-party platform: its ticket, what WeChat pushed, authorisations under way, what was refused at the door."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String, Text

from fab_minicode.models.types import Base, UtcDateTime


class Component(Base):
    """
    What is known of the platform itself; one row per component AppID.

    ``ticket_at`` is WeChat's CreateTime of the ticket: the newest wins, in whatever order they come.
    ``asked_at``: when WeChat was last asked to start pushing tickets. ``sealed_ticket`` is sealed for the place
    ``"component:sealed_ticket:<appid>"``.
    """

    __tablename__ = "minicode_component"

    appid = Column(String(64), primary_key=True)
    sealed_ticket = Column(Text)
    ticket_at = Column(UtcDateTime)
    received_at = Column(UtcDateTime)
    asked_at = Column(UtcDateTime)
    last_error = Column(Text)
    last_error_at = Column(UtcDateTime)


class ReceivedPush(Base):
    """A push that was taken; a second one with the same fingerprint is a replay. Kept longer than the time window."""

    __tablename__ = "minicode_pushes"

    fingerprint = Column(String(64), primary_key=True)
    received_at = Column(UtcDateTime, nullable=False, index=True)


class Refusal(Base):
    """How often a push was refused for a reason, and when last. The reasons are a fixed, short list."""

    __tablename__ = "minicode_refusals"

    reason = Column(String(64), primary_key=True)
    count = Column(Integer, nullable=False)
    last_at = Column(UtcDateTime, nullable=False)


class AuthCode(Base):
    """
    An authorisation that WeChat told us of, by the person's return, by a push, or by both: one row per code.

    ``state``: ``waiting``, ``done``, ``failed`` (WeChat does not take the code), ``refused`` (no mini program) or
    ``stale`` (a later push ended the authorisation). ``event_at`` is WeChat's CreateTime, None while only the person
    came back. ``holder`` and ``claimed_until`` are the lease of whoever completes it, ``next_at`` the next try.
    ``sealed_grant`` holds WeChat's answer to the code, which can be had once only, until it is stored for good.
    """

    __tablename__ = "minicode_auth_codes"

    digest = Column(String(64), primary_key=True)
    sealed_code = Column(Text)
    sealed_grant = Column(Text)
    appid = Column(String(64), index=True)
    pre_auth_digest = Column(String(64))
    event_at = Column(UtcDateTime)
    received_at = Column(UtcDateTime, nullable=False)
    state = Column(String(16), nullable=False, index=True)
    holder = Column(String(64))
    claimed_until = Column(UtcDateTime)
    next_at = Column(UtcDateTime)
    tries = Column(Integer, nullable=False, default=0)
    error = Column(Text)
    actor_id = Column(String(64), nullable=False, default="")
    actor = Column(String(128), nullable=False, default="")
    authorizer_id = Column(Integer)


class Invitation(Base):
    """
    Somebody was shown the way to WeChat's page; only they may come back on it, once, in the same browser session.

    ``digest`` is of the nonce in the return address, ``session_digest`` of a random value in the host's session,
    ``code_digest`` of the code it was used with: the same return twice has the same result. ``kept`` is what was typed
    into the form of a new code before, as JSON.
    """

    __tablename__ = "minicode_invitations"

    digest = Column(String(64), primary_key=True)
    session_digest = Column(String(64), nullable=False)
    actor_id = Column(String(64), nullable=False)
    actor = Column(String(128), nullable=False)
    appid = Column(String(64))
    pre_auth_digest = Column(String(64), index=True)
    kept = Column(Text)
    created_at = Column(UtcDateTime, nullable=False)
    expires_at = Column(UtcDateTime, nullable=False, index=True)
    used_at = Column(UtcDateTime)
    code_digest = Column(String(64))


class RetiredKey(Base):
    """A collect key that was replaced; trackers in the field may use it until ``until``."""

    __tablename__ = "minicode_retired_keys"

    key = Column(String(40), primary_key=True)
    authorizer_id = Column(
        Integer, ForeignKey("minicode_authorizers.id", ondelete="CASCADE"), nullable=False, index=True
    )
    until = Column(UtcDateTime, nullable=False)
