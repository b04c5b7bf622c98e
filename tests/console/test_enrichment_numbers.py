"""Every number of an enrichment job's page equals the rows behind its link, and its costs their sum, for random outcomes of 200 jobs."""

import random
import re
from html import unescape
from urllib.parse import urlsplit

import pytest

from tests.harness.api import Api, run_api_with_leads
from tests.harness.visitor import Visitor, visiting
from tests.support.enrichment_outcomes import EVERY, change_queued, request_emails, save_routine

JOBS = 200
NAMED, UNNAMED = 9, 3
"""Leads with the values that the routine needs, and leads without: these fail at once."""
CANCELLED = 0.3
SEED = 20261130
TAB = re.compile(r'<li><a href="([^"]+)"[^>]*>([^<]+)<span class="count[^"]*">([\d,]+)</span>')
CURRENT = re.compile(r'<li><a href="([^"]+)" aria-current="page">[^<]+<span class="count')
CARD = re.compile(r'<a class="big" href="([^"]+)">([\d,]+) leads?</a>')
SENTENCE = re.compile(r'<p class="sentence">([^<]+)</p>')
ROW = re.compile(r'<td data-label="Costs"><div>')
COST = re.compile(r'<td data-label="Costs"><div>([\d.]+) credits?, ([\d.]+) actions?')
COSTS_SO_FAR = re.compile(r"<dt>Costs so far</dt><dd>([\d.]+) credits? and ([\d.]+) actions?")
STATE = re.compile(r'<span class="pill[^"]*">.*?<span>([^<]+)</span>')
IN_DIALOG = {
    "Requested from Clay": re.compile(r"(\d+) leads? (?:was|were) requested from Clay already"),
    "May be requested": re.compile(r"(\d+) leads? may have been requested"),
}


@pytest.mark.timeout(900)  # some 900 pages
async def test_every_number_of_an_enrichment_job_equals_the_rows_behind_its_link(database_url: str) -> None:
    chance = random.Random(SEED)
    async with run_api_with_leads(database_url, leads=UNNAMED) as api, visiting(api) as owner:
        await save_routine(api)
        named = [await api.host.lead(api.project_id, full_name=f"Lead {n}", company="Acme") for n in range(NAMED)]
        checked = 0
        for _ in range(JOBS):
            leads = [
                *chance.sample(named, chance.randint(1, NAMED)),
                *chance.sample(list(api.lead_ids), chance.randint(0, UNNAMED)),
            ]
            job_id = await request_emails(api, leads, again=chance.random() < 0.8)
            await change_queued(api, job_id, chance.choices(EVERY, k=chance.randint(0, NAMED)))
            if chance.random() < CANCELLED:
                await api.send("POST", f"/api/clay/enrichment/jobs/{job_id}/cancel", "owner")
            checked += await check_job(owner, job_id)
            await end_requests(api)
    assert checked >= 3 * JOBS, "at least the tab of all leads, one of an outcome, and a cause card of most jobs"


async def check_job(owner: Visitor, job_id: str) -> int:
    """Returns how many links were followed."""
    page = (await owner.open(f"/console/enrichment/{job_id}")).text
    tabs = {label.strip(): (unescape(href), number(count)) for href, label, count in TAB.findall(page)}
    cards = [(unescape(href), number(count)) for href, count in CARD.findall(page)]
    links = [*tabs.values(), *cards]
    rows = {href: len(ROW.findall(page)) for href in CURRENT.findall(page)}
    for href in {href for href, _ in links} - set(rows):
        url = urlsplit(href)
        rows[href] = len(ROW.findall((await owner.open(f"{url.path}?{url.query}")).text))
    assert {(href, rows[href]) for href, _ in links} == set(links), job_id
    [sentence] = SENTENCE.findall(page)
    first, *parts = [number(each) for each in re.findall(r"[\d,]*\d", sentence)]
    assert first == sum(parts) == tabs["All"][1], sentence
    check_costs(page)
    check_dialog(page)
    return len(tabs) + len(cards)


def check_costs(page: str) -> None:
    """The rows of the tab of all leads."""
    [total] = COSTS_SO_FAR.findall(page)
    rows = COST.findall(page)
    assert [float(each) for each in total] == [sum(float(row[0]) for row in rows), sum(float(row[1]) for row in rows)]


def check_dialog(page: str) -> None:
    """What a cancellation cannot take back."""
    if "Cancel this enrichment?" not in page:
        return
    states = STATE.findall(page)
    for state, text in IN_DIALOG.items():
        assert sum(number(each) for each in text.findall(page)) == states.count(state), state


async def end_requests(api: Api) -> None:
    """So that the next job may request the same leads: a lead has at most one live item."""
    await api.installation.fetch("""
        UPDATE clay.enrichment_items SET state = 'done', outcome = 'expired', cause = 'still_running', finished_at = now()
        WHERE state <> 'done'""")


def number(text: str) -> int:
    return int(text.replace(",", ""))
