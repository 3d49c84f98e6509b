"""The mini programs that let us act for them, and their access tokens."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy.orm import deferred

from fab_minicode.models.types import Authored, Base, UtcDateTime


class Authorizer(Authored, Base):
    """
    One mini program.

    ``status``: ``authorized``, ``not_authorized`` (connected once, does not work now) or ``revoked``.
    ``credential``: ``secret`` (own AppID + AppSecret) or ``component`` (third-party platform).
    ``sealed_*`` columns are vault texts, sealed for the place ``"authorizers:<column>:<appid>"``.
    ``granted_sets``: numbers of WeChat's permission sets, comma-separated. ``authorized_at``: WeChat's time of the
    latest event of the authorisation, granted or ended; older pushes change nothing.
    ``quota_used`` counts codes of interfaces A and C, reserved ones included; never above ``quota_limit``.
    """

    __tablename__ = "minicode_authorizers"
    __table_args__ = (CheckConstraint("quota_used >= 0 AND quota_used <= quota_limit", name="quota"),)

    id = Column(Integer, primary_key=True)
    appid = Column(String(32), nullable=False, unique=True)
    nick_name = Column(String(128), nullable=False, default="")
    principal_name = Column(String(128), nullable=False, default="")
    head_image = deferred(Column(LargeBinary))
    head_image_mime = Column(String(32))
    status = Column(String(16), nullable=False)
    credential = Column(String(16), nullable=False)
    sealed_secret = Column(Text)
    sealed_visitor_key = Column(Text, nullable=False)
    granted_sets = Column(String(255), nullable=False, default="")
    collect_key = Column(String(40), nullable=False, unique=True)
    quota_used = Column(Integer, nullable=False, default=0)
    quota_limit = Column(Integer, nullable=False)
    last_error = Column(Text)
    last_error_at = Column(UtcDateTime)
    last_event_at = Column(UtcDateTime)
    authorized_at = Column(UtcDateTime)

    def __repr__(self) -> str:
        return self.nick_name or self.appid


class Token(Base):
    """
    A cached access token and the lease under which it is refreshed.

    ``subject`` names whose it is: ``"secret:<appid>"``, ``"authorizer:<appid>"`` or ``"component:<appid>"``.
    ``version`` rises with each stored token; a late writer whose version is old is fenced off.
    """

    __tablename__ = "minicode_tokens"

    subject = Column(String(64), primary_key=True)
    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id", ondelete="CASCADE"))
    sealed_token = Column(Text)
    sealed_refresh_token = Column(Text)
    expires_at = Column(UtcDateTime)
    version = Column(Integer, nullable=False, default=0)
    lease_holder = Column(String(64))
    lease_until = Column(UtcDateTime)
