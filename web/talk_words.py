"""The words of what was said: facts of a talk, and a call to take away; Russian and English."""

from typing import Final

TALK_WORDS: Final[dict[str, tuple[str, str]]] = {
    # what a talk's words tell
    "talk.title": ("О разговоре", "About the talk"),
    "talk.shares": ("Говорили: мы {staff} %, клиент {caller} %", "Spoke: we {staff}%, the caller {caller}%"),
    "talk.spoke": ("Говорили", "Spoke"),
    "talk.silence": ("Тишина", "Silence"),
    "talk.silence_told": ("{share} %, самая долгая {time}", "{share}%, the longest {time}"),
    "talk.response": ("Отвечаем через", "We answer after"),
    "talk.seconds": ("{seconds} с", "{seconds} s"),
    "talk.monologue": ("Самый долгий монолог", "Longest monologue"),
    "talk.pace": ("Слов в минуту", "Words a minute"),
    "talk.questions": ("Вопросов", "Questions"),
    "talk.interruptions": ("Перебиваний", "Interruptions"),
    "talk.script": ("Сценарий", "Script"),
    "talk.said": ("сказано", "said"),
    "talk.not_said": ("не сказано", "not said"),
    "talk.unsure": ("расслышано неуверенно", "heard badly"),
    "talk.topics": ("О чём говорили", "Topics"),
    "talk.low": (
        "Запись расслышана плохо, эти сведения могут быть неверны.",
        "The recording was heard badly: all of this may be wrong.",
    ),
    "talk.hear": ("Слушать с {time}", "Hear from {time}"),
    # where a recording is silent
    "silence.paused": ("Запись была приостановлена", "The recording was paused"),
    "silence.masked": ("Заглушено: {what}", "Muted: {what}"),
    "silence.muted": ("Заглушено", "Muted"),
    # a call to take away
    "export.all": ("Скачать всё", "Download all"),
    "export.hint": ("Звук, текст, субтитры и сведения о разговоре", "Sound, text, subtitles and facts of the talk"),
}
