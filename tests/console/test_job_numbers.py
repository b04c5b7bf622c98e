"""Every number of a job's page equals the number of rows behind its link, for random outcomes of 200 jobs."""

import random
import re
from html import unescape
from urllib.parse import urlsplit

import pytest

from tests.harness.api import Api, run_api_with_leads
from tests.harness.visitor import Visitor, visiting
from tests.support.receiver import Behaviour, Reset, status

JOBS = 200
LEADS = 12
BATCH = 20
"""Jobs that are live at the same time: a lead that is queued in one is skipped in the others."""
CANCELLED = 0.15
SEED = 20261130
TAB = re.compile(r'<li><a href="([^"]+)"[^>]*>([^<]+)<span class="count[^"]*">([\d,]+)</span>')
CURRENT = re.compile(r'<li><a href="([^"]+)" aria-current="page">[^<]+<span class="count')
CARD = re.compile(r'<a class="big" href="([^"]+)">([\d,]+) leads?</a>')
SENTENCE = re.compile(r'<p class="sentence">([^<]+)</p>')
ROWS = re.compile(r"/leads/[0-9a-f-]{36}\" data-row>")
BEHAVIOURS: tuple[Behaviour, ...] = (status(200), status(200), status(200), status(422), status(413), Reset())


@pytest.mark.timeout(900)  # some 1,400 pages
async def test_every_number_of_a_job_equals_the_rows_behind_its_link(database_url: str) -> None:
    chance = random.Random(SEED)
    async with run_api_with_leads(database_url, leads=LEADS) as api, visiting(api) as owner:
        api.receiver.answer = lambda _number, _body: chance.choice(BEHAVIOURS)
        checked = 0
        for _ in range(JOBS // BATCH):
            jobs = [await make_job(api, chance) for _ in range(BATCH)]
            await api.drain()
            live = await api.queue(chance.sample(list(api.lead_ids), 2), push_again=True)
            for job_id in [*jobs, live]:
                checked += await check_job(owner, job_id)
    assert checked >= 6 * JOBS, "six tabs of each job, and its cause cards"


async def make_job(api: Api, chance: random.Random) -> str:
    leads = chance.sample(list(api.lead_ids), chance.randint(1, LEADS))
    job_id = await api.queue(leads, push_again=chance.random() < 0.7)
    if chance.random() < CANCELLED:
        await api.send("POST", f"/api/clay/jobs/{job_id}/cancel", "owner")
    return job_id


async def check_job(owner: Visitor, job_id: str) -> int:
    """Returns how many links were followed."""
    page = (await owner.open(f"/console/jobs/{job_id}")).text
    tabs = {label.strip(): (unescape(href), number(count)) for href, label, count in TAB.findall(page)}
    cards = [(unescape(href), number(count)) for href, count in CARD.findall(page)]
    links = [*tabs.values(), *cards]
    rows = {href: len(ROWS.findall(page)) for href in CURRENT.findall(page)}
    for href in {href for href, _ in links} - set(rows):
        url = urlsplit(href)
        rows[href] = len(ROWS.findall((await owner.open(f"{url.path}?{url.query}")).text))
    assert {(href, rows[href]) for href, _ in links} == set(links), job_id
    [sentence] = SENTENCE.findall(page)
    first, *parts = [number(each) for each in re.findall(r"[\d,]*\d", re.sub(r"\([^)]*\)", "", sentence))]
    assert first == sum(parts) == tabs["All"][1], sentence
    return len(tabs) + len(cards)


def number(text: str) -> int:
    return int(text.replace(",", ""))
