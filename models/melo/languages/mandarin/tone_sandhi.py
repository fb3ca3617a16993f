"""Tone sandhi of Mandarin: the tones of words in speech (upstream ``text/tone_sandhi.py``, which is PaddleSpeech's,
Apache-2.0; written anew).

Tones are 1 to 4, and 5 for the neutral tone. Words and their parts of speech are those of jieba: ``r`` a pronoun, ``n``
a noun, ``v`` a verb, ``a`` an adjective, ``s`` and ``f`` a place, ``l`` a phrase.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

#: Words whose last syllable has the neutral tone.
_NEUTRAL_WORDS = """
一辈 丈人 丈夫 上司 上头 下巴 下水 不在 不由 世故 东家 东西 两口 丧气 丫头 主意 买卖 事情 云彩
交情 亲家 亲戚 人家 什么 介绍 休息 伙计 似的 位置 体面 作坊 佩服 使唤 便宜 倒腾 兄弟 先生 关系
养活 冒失 冤家 冤枉 冷战 凉快 凑合 凤凰 出息 分析 利害 利索 利落 别扭 刺激 刺猬 前头 力气 功夫
动弹 动静 勤快 匀称 包涵 包袱 千斤 厉害 厚道 口袋 叫唤 吆喝 合同 吉他 名堂 名字 后头 吓唬 含糊
告示 告诉 和尚 咕噜 咖喱 咳嗽 哆嗦 哈欠 哑巴 唾沫 商量 喇叭 喇嘛 喉咙 喜欢 喽啰 嘀咕 嘟囔 嘱咐
嘴巴 困难 在乎 地方 地道 壮实 外甥 多么 多少 大人 大夫 大意 大方 大爷 太阳 头发 女婿 奴才 妖精
妥当 妯娌 姐夫 姑娘 委屈 姥爷 娘家 婆家 媒人 媳妇 嫁妆 字号 学生 学问 官司 实在 客气 家伙 寒碜
寡妇 对付 对头 将就 小伙 小气 少爷 尾巴 屁股 岁数 工夫 差事 巴掌 巴结 师傅 师父 希罕 帐篷 帮手
干事 幸福 庄稼 应酬 开通 弄堂 弟兄 张罗 得罪 心思 志气 忙活 快活 念叨 念头 怎么 思量 怪物 悟性
情形 惦记 意思 意识 懒得 戒指 扁担 扎实 扑腾 打发 打听 打扮 打点 打算 打量 扫帚 扫把 折腾 护士
报复 抬举 拖沓 招呼 招牌 拨弄 拳头 拾掇 指头 指甲 挑剔 挖苦 提防 收成 收拾 故事 新鲜 时候 明白
暖和 月亮 月饼 朋友 木匠 木头 本事 机灵 枇杷 枕头 架势 柴火 栅栏 核桃 棉花 棒槌 棺材 槟榔 模糊
欺负 正经 母亲 比方 泥鳅 活泼 浪头 消息 清楚 温和 溜达 滑溜 漂亮 火候 灯笼 炊帚 点心 烂糊 烟筒
烧饼 热闹 照顾 熟悉 爱人 父亲 爽快 牌楼 牙碜 牢骚 牲口 特务 状元 狐狸 玄乎 玫瑰 玻璃 琉璃 琢磨
琵琶 甘蔗 甜头 生意 畜生 疏忽 疙瘩 疟疾 痛快 痢疾 白净 盘算 盘缠 相声 眉毛 眨巴 眯缝 眼睛 知识
石匠 石头 石榴 码头 砚台 祖宗 福气 秀才 秀气 秧歌 称呼 稀罕 稳当 窗户 窝囊 窟窿 笑话 笑语 笤帚
答应 算盘 算计 篱笆 簸箕 粮食 精神 糊涂 糟蹋 糨糊 累赘 红火 结实 编辑 罐头 罗嗦 翻腾 老太 老头
老婆 老实 老爷 耳朵 耷拉 耽搁 耽误 聪明 胡同 胡琴 胡萝 胭脂 胳膊 能耐 脊梁 脑袋 脾气 膏药 自在
舌头 舒坦 舒服 芝麻 苍蝇 苗头 苗条 荒唐 荸荠 菩萨 萝卜 葡萄 葫芦 薄荷 蘑菇 蚂蚱 蛤蟆 蜡烛 行当
行李 街坊 衙门 衣服 衣裳 补丁 裁缝 见识 规矩 计划 认识 记号 记性 讲究 豆腐 财主 费用 趔趄 跟头
跳蚤 踏实 转悠 软和 过去 运气 这个 这么 连累 迷糊 造化 逻辑 道士 邋遢 那个 那么 部分 里头 里脊
钥匙 铁匠 铃铛 铺盖 锄头 门道 闺女 阔气 队伍 难为 风筝 馄饨 馒头 首饰 马虎 骆驼 骨头 高粱 鸳鸯
麻利 麻烦
"""
_NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
#: Words in 子, and doubled ones, whose last syllable keeps its tone.
_KEPT = frozenset({"男子", "女子", "分子", "原子", "量子", "莲子", "石子", "瓜子", "电子", "人人", "虎虎"})
_PARTICLES = frozenset("吧呢啊呐噻嘛吖嗨哦哒额滴哩哟喽啰耶喔诶的地得")
_DIRECTIONS = frozenset("上下进出回过起开")
#: Before 个 as a measure word, beside numerals.
_COUNTED = frozenset("几有两半多各整每做是")
NEUTRAL = 5

#: The tones of a word by itself; a word in jieba's shorter words.
Tones = Callable[[str], Sequence[int]]
Cut = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of Chinese characters and its part of speech."""

    text: str
    pos: str = ""

    def __add__(self, other: Word) -> Word:
        return replace(self, text=self.text + other.text)


def merged(words: Sequence[Word], tones: Tones) -> list[Word]:
    """Words that change each other's tones as one: 不 and 一 with what follows, doubled words, third tones in a row,
    and 儿 with what precedes it."""
    joined = _doubled(_with_yi(_with_bu(words)))
    joined = _third_tones(joined, tones, lambda tones_of: all(tone == 3 for tone in tones_of))
    joined = _third_tones(joined, tones, None)
    return _with_er(joined)


def spoken_tones(word: Word, tones: Sequence[int], cut: Cut) -> list[int]:
    """The tones of a word's characters in speech, from their own ``tones``."""
    spoken = list(tones)
    _bu(word.text, spoken)
    _yi(word.text, spoken)
    _neutral(word, spoken, cut)
    _third(word.text, spoken, cut)
    return spoken


def _with_bu(words: Sequence[Word]) -> list[Word]:
    joined: list[Word] = []
    pending = ""
    for word in words:
        text, pending = pending + word.text, ""
        if text == "不":
            pending = text
        else:
            joined.append(Word(text, word.pos))
    return [*joined, Word(pending, "d")] if pending else joined


def _with_yi(words: Sequence[Word]) -> list[Word]:
    """听, 一, 听 as one word, and 一 with what follows."""
    joined: list[Word] = []
    at = 0
    while at < len(words):
        word = words[at]
        behind = words[at + 1 : at + 3]
        between = word.pos == "v" and [other.text for other in behind] == ["一", word.text]
        if between:
            word = Word(f"{word.text}一{word.text}", word.pos)
            at += 2
        if joined and joined[-1].text == "一":
            joined[-1] += word
        else:
            joined.append(word)
        at += 1
    return joined


def _doubled(words: Sequence[Word]) -> list[Word]:
    joined: list[Word] = []
    for word in words:
        if joined and joined[-1].text == word.text:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _third_tones(words: Sequence[Word], tones: Tones, whole: Callable[[Sequence[int]], bool] | None) -> list[Word]:
    """Two words, of three characters at most, between which third tones meet: those that are ``whole``, or any."""
    joined: list[Word] = []
    last_joined = False
    for at, word in enumerate(words):
        before = words[at - 1] if at else None
        meet = before is not None and _meet(tones(before.text), tones(word.text), whole)
        if before and meet and not last_joined and not _is_double(before.text) and len(before.text + word.text) <= 3:
            joined[-1] += word
            last_joined = True
        else:
            joined.append(word)
            last_joined = False
    return joined


def _meet(before: Sequence[int], behind: Sequence[int], whole: Callable[[Sequence[int]], bool] | None) -> bool:
    if whole:
        return whole(before) and whole(behind)
    return before[-1] == 3 and behind[0] == 3


def _is_double(text: str) -> bool:
    return len(text) == 2 and text[0] == text[1]


def _with_er(words: Sequence[Word]) -> list[Word]:
    joined: list[Word] = []
    for word in words:
        if joined and word.text == "儿":
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _bu(text: str, tones: list[int]) -> None:
    """不 is neutral in 看不懂, and has the second tone before a fourth one."""
    if len(text) == 3 and text[1] == "不":
        tones[1] = NEUTRAL
        return
    for at, character in enumerate(text[:-1]):
        if character == "不" and tones[at + 1] == 4:
            tones[at] = 2


def _yi(text: str, tones: list[int]) -> None:
    """一 is neutral in 看一看, has the second tone before a fourth one, else the fourth; its own one in numbers."""
    if "一" not in text or all(character.isnumeric() for character in text):
        return
    if len(text) == 3 and text[1] == "一" and text[0] == text[2]:
        tones[1] = NEUTRAL
    elif text.startswith("第一"):
        tones[1] = 1
    else:
        for at, character in enumerate(text[:-1]):
            if character == "一":
                tones[at] = 2 if tones[at + 1] == 4 else 4


def _neutral(word: Word, tones: list[int], cut: Cut) -> None:
    """The neutral tone: of what is doubled, of particles and suffixes, and of `_NEUTRAL`."""
    text, pos = word.text, word.pos
    if pos[:1] in ("n", "v", "a") and text not in _KEPT:
        for at in range(1, len(text)):
            if text[at] == text[at - 1]:
                tones[at] = NEUTRAL
    measure = text.find("个")
    if _has_neutral_end(word):
        tones[-1] = NEUTRAL
    elif text == "个" or (measure >= 1 and (text[measure - 1].isnumeric() or text[measure - 1] in _COUNTED)):
        tones[measure] = NEUTRAL
    elif _is_neutral(text):
        tones[-1] = NEUTRAL
    first, second = _halves(text, cut)
    if _is_neutral(first):
        tones[len(first) - 1] = NEUTRAL
    if _is_neutral(second):
        tones[-1] = NEUTRAL


def _has_neutral_end(word: Word) -> bool:
    text, pos, last = word.text, word.pos, word.text[-1]
    if last in _PARTICLES:
        return True
    if len(text) < 2:
        return False
    if last in "们子":
        return pos in ("r", "n") and text not in _KEPT
    if last in "上下里":
        return pos in ("s", "l", "f")
    return last in "来去" and text[-2] in _DIRECTIONS


def _is_neutral(text: str) -> bool:
    return text in _NEUTRAL or text[-2:] in _NEUTRAL


def _halves(text: str, cut: Cut) -> tuple[str, str]:
    """A word in two: its shortest part, and the rest before or behind it."""
    shortest = min(cut(text), key=len, default=text)
    if text.startswith(shortest):
        return shortest, text[len(shortest) :]
    return text[: -len(shortest)], shortest


def _third(text: str, tones: list[int], cut: Cut) -> None:
    """A third tone before another one is a second tone, within the halves of a word first."""
    if len(text) == 2:
        if tones == [3, 3]:
            tones[0] = 2
    elif len(text) == 3:
        first, second = (len(half) for half in _halves(text, cut))
        if tones == [3, 3, 3]:
            if first == 2:  # 蒙古/包
                tones[0] = tones[1] = 2
            elif first == 1:  # 纸/老虎
                tones[1] = 2
        elif first == 2 and tones[:2] == [3, 3]:  # 所有/人
            tones[0] = 2
        elif second == 2 and tones[1:] == [3, 3]:
            tones[1] = 2
        elif second == 2 and tones[:2] == [3, 3]:  # 好/喜欢
            tones[0] = 2
    elif len(text) == 4:
        for at in (0, 2):
            if tones[at : at + 2] == [3, 3]:
                tones[at] = 2
