"""
What the demo is about: a coffee chain, its mini programs, and what its marketing people printed. Data only.

The order of codes within a mini program is the order in which they were made; ``weight`` says how well a code does.
"""

from __future__ import annotations

from dataclasses import dataclass

A, B, C = "wxacode", "wxacode_unlimited", "wxaqrcode"
MENU, SHOP, GIFT, EVENT = "pages/menu/index", "pages/shop/detail", "pages/gift/card", "pages/event/landing"
BOOK, CLUB = "pages/book/list", "pages/club/join"


@dataclass(frozen=True)
class MiniProgram:
    """A mini program and its credentials at the local WeChat. ``share``: its part of all visits."""

    appid: str
    secret: str
    nick_name: str
    share: float = 0.0
    authorized: bool = True


@dataclass(frozen=True)
class Print:
    """One code as somebody typed it. ``utm`` is source, campaign, medium, content, term; missing ones are empty."""

    name: str
    kind: str
    page: str
    utm: tuple[str, ...]
    weight: float = 1.0
    renamed: str = ""
    deleted: bool = False
    colour: str = ""


COFFEE = MiniProgram("wx4c0ffee000000001", "5ecre70000000000000000000000001a", "山雀咖啡 Titmouse Coffee", 0.65)
BOOKS = MiniProgram("wxb00c500000000002", "5ecre70000000000000000000000002b", "山雀书店 Titmouse Books", 0.35)
CINEMA = MiniProgram(
    "wxc1ce3a0000000003", "5ecre70000000000000000000000003c", "山雀影院 Titmouse Cinema", authorized=False
)
MINI_PROGRAMS = (COFFEE, BOOKS, CINEMA)

PRINTS: dict[str, tuple[Print, ...]] = {
    COFFEE.appid: (
        Print("Metro poster, line 2", A, MENU, ("poster", "autumn-menu", "metro", "line-2"), 9),
        Print("Metro poster, line 10", A, MENU, ("poster", "autumn-menu", "metro", "line-10"), 6),
        Print("地铁海报 7 号线", A, MENU, ("地铁海报", "秋季新品", "线下", "7号线"), 5),
        Print("Table card, Jing'an", B, MENU, ("table", "autumn-menu", "store", "jing'an"), 8, colour="#7a4a21"),
        Print("Table card, Xuhui", B, MENU, ("table", "autumn-menu", "store", "xuhui"), 5, colour="#7a4a21"),
        Print("桌贴 静安店", B, MENU, ("桌贴", "秋季新品", "门店", "静安"), 4),
        Print("桌贴 徐汇店", B, MENU, ("桌贴", "秋季新品", "门店", "徐汇"), 3, renamed="桌贴 徐汇店(新)"),
        Print("Cup sleeve", C, MENU, ("cup", "autumn-menu"), 7),
        Print("杯套二维码", C, MENU, ("杯套", "秋季新品"), 4),
        Print("Receipt", C, "pages/coupon/get?id=18", ("receipt", "come-back"), 3),
        Print("小票券", C, "pages/coupon/get?id=21", ("小票", "回头客"), 2),
        Print("Elevator screen A", A, EVENT, ("elevator", "double-eleven", "screen", "tower-a"), 4),
        Print(
            "Elevator screen B",
            A,
            EVENT,
            ("elevator", "double-eleven", "screen", "tower-b"),
            3,
            renamed="Elevator screen, tower B",
        ),
        Print("电梯屏 国金", A, EVENT, ("电梯屏", "双十一", "屏幕", "国金"), 3),
        Print("Xiaohongshu, Ms Lin", A, f"{SHOP}?sku=108", ("xiaohongshu", "creators", "kol", "lin"), 5),
        Print("小红书 达人 林", A, f"{SHOP}?sku=108", ("小红书", "达人", "内容", "林"), 4),
        Print("小红书 达人 周", A, f"{SHOP}?sku=112", ("小红书", "达人", "内容", "周"), 2),
        Print("Douyin, live show", B, EVENT, ("douyin", "double-eleven", "live", "evening"), 6),
        Print("抖音直播间", B, EVENT, ("抖音", "双十一", "直播", "晚场"), 4),
        Print("Gift card in a parcel", B, GIFT, ("parcel", "gift-cards", "insert"), 2),
        Print("包裹卡片", B, GIFT, ("包裹", "礼品卡", "插卡"), 2, renamed="包裹礼品卡片"),
        Print("Delivery bag", C, MENU, ("delivery", "autumn-menu"), 3),
        Print("外卖袋", C, MENU, ("外卖袋", "秋季新品"), 2),
        Print("Campus flyer, Fudan", A, MENU, ("flyer", "campus", "print", "fudan", "student discount"), 2),
        Print("校园传单 交大", A, MENU, ("传单", "校园", "印刷", "交大", "学生优惠"), 2),
        Print("Old shop window", A, MENU, ("window", "summer"), 1, deleted=True),
        Print("Company pantry", B, GIFT, ("partner", "companies", "b2b", "100% arabica & more"), 1),
        Print("企业茶水间", B, GIFT, ("合作企业", "企业团购", "b2b"), 1),
        Print("WeChat article footer", A, EVENT, ("official-account", "double-eleven", "article"), 3),
        Print("公众号文末", A, EVENT, ("公众号", "双十一", "文章"), 2),
    ),
    BOOKS.appid: (
        Print("Bookmark, autumn list", B, BOOK, ("bookmark", "autumn-list", "print"), 6, colour="#2f5d50"),
        Print("书签 秋季书单", B, BOOK, ("书签", "秋季书单", "印刷"), 5),
        Print("Shop window", A, BOOK, ("window", "autumn-list", "store"), 4),
        Print("橱窗海报", A, BOOK, ("橱窗", "秋季书单", "门店"), 3),
        Print("Reading club, desk", C, CLUB, ("desk", "reading-club"), 4),
        Print("读书会 签到台", C, CLUB, ("签到台", "读书会"), 3, renamed="读书会 入口签到台"),
        Print("Book fair, stand 14", A, BOOK, ("fair", "book-fair", "stand", "14"), 5),
        Print("书展 14 号展位", A, BOOK, ("书展", "上海书展", "展位", "14"), 4),
        Print("Newsletter", A, f"{BOOK}?week=46", ("newsletter", "weekly", "mail"), 2),
        Print("豆瓣小组", A, f"{BOOK}?week=46", ("豆瓣", "周更", "社区"), 2),
        Print("Coffee shop cross sale", B, BOOK, ("table", "cross-sale", "store"), 3),
        Print("咖啡店联动", B, BOOK, ("桌贴", "店店联动", "门店"), 2),
        Print("Paper bag", C, BOOK, ("bag", "autumn-list"), 2),
        Print("纸袋", C, BOOK, ("纸袋", "秋季书单"), 1),
        Print("Test print", A, BOOK, ("test",), 1, deleted=True),
        Print("Library partner", B, CLUB, ("library", "reading-club", "partner"), 1),
    ),
}
