"""Words that look as if they meant the same."""

from __future__ import annotations

import time

import pytest

from fab_minicode.acquisition.likeness import SIMILAR, SPELLING, Pair, alike


@pytest.mark.parametrize(
    "value",
    ["weixin", "WEIXIN", "Ｗｅｉｘｉｎ", "Wei xin", "wei-xin", "wei_xin", "wei – xin"],
)
def test_case_width_white_space_and_hyphens_make_no_other_word(value):
    assert [Pair(value, "Weixin", SPELLING)] == alike(["Weixin", value])


@pytest.mark.parametrize("value", ["wechatmoment", "wechatmomentss", "wechatmomemts", "wehcatmoments", "wechat-momets"])
def test_one_letter_more_less_other_or_swapped_is_suggested_for_longer_words(value):
    assert [Pair(value, "wechatmoments", SIMILAR)] == alike(["wechatmoments", value])


@pytest.mark.parametrize(
    "one, other",
    [
        ("poster-01", "poster-02"),
        ("poster1", "poster11"),
        ("gate1a", "gate2a"),
        ("tower-a", "tower-b"),
        ("Lobby east B", "Lobby east C"),
        ("east", "west"),
        ("autumn", "spring"),
        ("海报", "海豹"),
        ("--", "__"),
        ("abcdefgh", "badcfehg"),
    ],
)
def test_other_words_are_left_alone(one, other):
    assert [] == alike([one, other])


def test_the_most_used_word_is_the_one_to_merge_into_and_a_word_is_merged_once():
    found = alike(["Weixin", "weixin", "WeiXin", "weixinn"])

    assert [("weixin", "Weixin"), ("WeiXin", "Weixin"), ("weixinn", "Weixin")] == [pair[:2] for pair in found]


def test_two_thousand_words_are_compared_quickly():
    words = [f"{'abcdefghij'[n % 10] * 3}{chr(97 + n // 77)}campaign{chr(97 + n % 23)}of{n}" for n in range(2_000)]
    start = time.process_time()
    alike(words)

    assert time.process_time() - start < 3
