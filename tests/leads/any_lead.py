"""Strategies of hypothesis: leads with all values that the host's rows can contain, and invalid ones."""

from hypothesis import strategies as st

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.payload_fields import LEAD_FIELDS, STATS_FIELDS

any_text = st.text(st.characters(codec=None)) | st.text(st.sampled_from("\0\ud800\udfff\ud83d\ude00é\n")) | st.none()
any_number = st.integers() | st.floats() | st.decimals() | st.none()
any_day = st.dates() | st.datetimes(timezones=st.none() | st.timezones()) | st.none()
any_flag = st.booleans() | st.none()
texts = {field for field, rule in LEAD_FIELDS.values() if rule.__name__ == "text"} | {"project_name", "source_name"}
numbers = {field for field, rule in LEAD_FIELDS.values() if rule.__name__ in {"count", "number"}}
any_stats = {
    field: {"count": any_number, "flag": any_flag, "day": any_day}[rule.__name__]
    for field, rule in STATS_FIELDS.values()
}
any_row = st.builds(
    LeadRow,
    lead_id=st.uuids(),
    project_id=st.uuids(),
    source_id=st.uuids() | st.none(),
    skills=st.lists(any_text) | st.none(),
    is_qualified_lead=any_flag,
    activity_rows=st.integers(0, 3),
    **any_stats,
    **dict.fromkeys(texts, any_text),
    **dict.fromkeys(numbers, any_number),
)
long_text = st.sampled_from(["x" * 9_000, "界 " * 20_000, "ß" * 60_000, '"{}\\\n' * 3_000, "a@b.example " * 5_000])
hostile_row = st.builds(
    LeadRow,
    lead_id=st.uuids(),
    project_id=st.uuids(),
    source_id=st.uuids() | st.none(),
    skills=st.lists(any_text | long_text, max_size=4) | st.none() | st.just("no list"),
    is_qualified_lead=any_flag | st.just("no flag"),
    activity_rows=st.integers(0, 3),
    **any_stats,
    **dict.fromkeys(texts, any_text | long_text | st.just(b"bytes")),
    **dict.fromkeys(numbers, any_number | st.just("no number")),
)
"""Also with long texts and values of wrong types."""
