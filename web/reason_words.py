"""Why a lead was lost or disqualified, for the reasons that every house has; Russian and English."""

from typing import Final

REASON_WORDS: Final[dict[str, tuple[str, str]]] = {
    "reason.existing_client": ("Уже клиент", "Existing client"),
    "reason.spam": ("Спам", "Spam"),
    "reason.shareholder": ("Дольщик", "Shareholder"),
    "reason.duplicate": ("Дубль", "Duplicate"),
    "reason.no_contact": ("Нет связи", "No contact"),
    "reason.too_expensive": ("Дорого", "Too expensive"),
    "reason.chose_another": ("Выбрали других", "Chose another"),
    "reason.not_needed": ("Больше не нужно", "Not needed any more"),
}
