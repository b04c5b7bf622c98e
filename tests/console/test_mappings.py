"""Mappings and table templates without JavaScript: editor with real leads, saving, versions, choosing, roles and organizations."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import httpx

from tests.harness.api import Api
from tests.harness.visitor import FORM, SAME_ORIGIN, Visitor, visiting

PAGE = "/console/mappings"
TEMPLATES = "/console/templates"
EMAIL = ("mail", "field", "email", "", "email", "null")
GREETING = ("greeting", "template", 'Hi {full_name:first_word|"there"}', "", "text", "null")
PARTS = ("key", "source", "value", "steps", "type", "empty")


async def send(visitor: Visitor, path: str, columns: Sequence[Sequence[str]], **fields: str) -> httpx.Response:
    """Submit the editor with these columns."""
    pairs = [("form_token", visitor.form_token), *fields.items()]
    pairs += [(f"column_{part}", column[number]) for column in columns for number, part in enumerate(PARTS)]
    return await visitor.http.post(path, content=urlencode(pairs), headers={"Content-Type": FORM, **SAME_ORIGIN})


async def create(api: Api, name: str = "Outbound") -> Mapping[str, object]:
    columns = [{"key": "mail", "field": "email", "type": "email"}]
    made: Mapping[str, object] = await api.call("POST", "/api/clay/mappings", {"name": name, "columns": columns})
    return made


async def test_a_template_becomes_a_mapping_with_real_leads_beside_it(api: Api, owner: Visitor) -> None:
    page = await owner.open(f"{PAGE}/new?template=lean_outbound")
    assert "12 columns" in page.text
    assert "Sample lead" not in page.text
    assert page.text.count('class="lead-preview"') == 5
    assert "What saving changes in Clay" in page.text
    answer = await send(owner, PAGE, [EMAIL, GREETING], name="Großkunden", template="lean_outbound")
    assert answer.status_code == 303, answer.text
    page = await owner.open(answer.headers["location"])
    assert "Version 1 is saved. Below is what to do in Clay." in page.text
    assert "Open the Clay table and map <code>mail</code> to a column there" in page.text
    stored = (await api.call("GET", "/api/clay/mappings"))["mappings"][0]
    assert (stored["name"], stored["based_on"]) == ("Großkunden", "Lean outbound")
    assert [each["key"] for each in stored["columns"]] == ["mail", "greeting"]


async def test_errors_are_shown_beside_their_column_and_nothing_is_saved(api: Api, owner: Visitor) -> None:
    await owner.open(f"{PAGE}/new")
    wrong = ("bad", "template", "Hi {full_nam}", "", "text", "null")
    answer = await send(owner, PAGE, [EMAIL, wrong], name="Broken")
    assert answer.status_code == 422
    assert 'id="column-1-value-error"' in answer.text
    assert "did you mean <code>full_name</code>?" in answer.text
    assert "Hi {full_nam}" in answer.text
    answer = await send(owner, PAGE, [EMAIL, ("Mail", *EMAIL[1:])], name="Broken")
    assert (answer.status_code, 'id="column-1-key-error"' in answer.text) == (422, True)
    answer = await send(owner, PAGE, [(f"c{number}", *EMAIL[1:]) for number in range(121)], name="Broken")
    assert (answer.status_code, "at most 120" in answer.text) == (422, True)
    answer = await send(owner, PAGE, [EMAIL, (EMAIL[0].upper(), *EMAIL[1:])], name="Broken")
    assert (answer.status_code, 'id="column-1-key-error"' in answer.text) == (422, True)
    long = ("long", "template", "x" * 100_000, "", "text", "null")
    answer = await send(owner, PAGE, [EMAIL, long], name="Broken")
    assert (answer.status_code, 'id="column-1-value-error"' in answer.text) == (422, True), answer.text[:300]
    answer = await send(owner, PAGE, [EMAIL], name="")
    assert (answer.status_code, 'id="name-error"' in answer.text) == (422, True)
    assert (await api.call("GET", "/api/clay/mappings"))["mappings"] == []


async def test_buttons_show_the_draft_again_and_store_nothing(api: Api, owner: Visitor) -> None:
    await owner.open(f"{PAGE}/new")
    page = await send(owner, f"{PAGE}/draft", [EMAIL, GREETING], name="Draft", action="up-1")
    assert page.status_code == 200
    assert page.text.index('value="greeting"') < page.text.index('value="mail"')
    page = await send(owner, f"{PAGE}/draft", [EMAIL], name="Draft", action="add", add_field="skills")
    assert 'value="skills"' in page.text
    page = await send(
        owner, f"{PAGE}/draft", [("name", "field", "full_nam", "", "text", "null")], name="", action="preview"
    )
    assert (page.status_code, "The columns cannot be previewed yet." in page.text) == (200, True)
    assert (await api.call("GET", "/api/clay/mappings"))["mappings"] == []


async def test_a_new_version_shows_what_changes_and_refuses_an_old_draft(api: Api, owner: Visitor) -> None:
    made = await create(api)
    url = f"{PAGE}/{made['id']}"
    page = await owner.open(f"{url}/edit")
    assert "Saving creates version 2." in page.text
    answer = await send(owner, url, [GREETING], name="Outbound", version="1", mapping_id=str(made["id"]))
    assert answer.status_code == 303, answer.text
    page = await owner.open(answer.headers["location"])
    assert "Its column stays in Clay." in page.text
    assert "Version 1" in page.text
    await owner.open(f"{url}/edit")
    answer = await send(owner, url, [EMAIL], name="Outbound", version="1", mapping_id=str(made["id"]))
    assert (answer.status_code, "has version 2 by now" in answer.text) == (409, True)


async def test_a_destination_shows_what_a_mapping_changes_before_it_uses_it(api: Api, owner: Visitor) -> None:
    made = await create(api)
    destination = (await api.call("GET", "/api/clay/destinations"))["destinations"][0]["id"]
    url = f"/console/destinations/{destination}"
    assert "The standard payload" in (await owner.open(url)).text
    page = await owner.open(f"{url}/mapping?mapping_id={made['id']}")
    assert "Its column stays in Clay." in page.text
    page = await owner.submit_and_follow(f"{url}/mapping", {"mapping_id": str(made["id"])})
    assert "version 1 of “Outbound”" in page.text
    await owner.open(f"{PAGE}/{made['id']}")
    page = await owner.submit_and_follow(f"{PAGE}/{made['id']}/archive")
    assert "Destinations use this mapping" in page.text
    await owner.submit_and_follow(f"{url}/mapping")
    await owner.open(f"{PAGE}/{made['id']}")
    assert "is archived" in (await owner.submit_and_follow(f"{PAGE}/{made['id']}/archive")).text
    assert (await owner.open(f"{PAGE}/{made['id']}")).status_code == 404


async def test_templates_have_texts_to_copy_and_own_ones_are_saved_and_removed(api: Api, owner: Visitor) -> None:
    page = await owner.open(TEMPLATES)
    for name in ("Standard", "Lean outbound", "Enrichment round trip", "Accounts first", "Pass-through"):
        assert name in page.text
    page = await owner.open(f"{TEMPLATES}/enrichment_round_trip")
    assert "Authorization: Bearer crt_…" in page.text
    assert "data-copy" in page.text
    made = await create(api)
    await owner.open(f"{PAGE}/{made['id']}")
    fields = {"mapping_id": str(made["id"]), "name": "Ours", "about": "For us", "dedupe_column": "mail"}
    page = await owner.submit_and_follow(TEMPLATES, fields)
    assert "The template “Ours” is saved." in page.text
    template = next(
        each for each in (await api.call("GET", "/api/clay/templates"))["templates"] if each["name"] == "Ours"
    )
    assert template["dedupe_column"] == "mail"
    await owner.submit_and_follow(f"{TEMPLATES}/{template['key']}/remove")
    assert (await owner.open(f"{TEMPLATES}/{template['key']}")).status_code == 404


async def test_members_read_mappings_and_change_nothing(api: Api) -> None:
    made = await create(api)
    destination = (await api.call("GET", "/api/clay/destinations"))["destinations"][0]["id"]
    async with visiting(api, "member") as member:
        for path in (PAGE, f"{PAGE}/{made['id']}", TEMPLATES, f"{TEMPLATES}/standard"):
            assert (await member.open(path)).status_code == 200, path
        for path in (f"{PAGE}/new", f"{PAGE}/{made['id']}/edit", f"/console/destinations/{destination}/mapping"):
            assert (await member.open(path)).status_code == 403, path
        await member.open(PAGE)
        for path in (
            PAGE, f"{PAGE}/draft", f"{PAGE}/{made['id']}", f"{PAGE}/{made['id']}/archive", TEMPLATES,
            f"{TEMPLATES}/{made['id']}/remove", f"/console/destinations/{destination}/mapping",
        ):  # fmt: skip
            assert (await member.submit(path)).status_code == 403, path


async def test_another_organization_finds_no_mapping(api: Api) -> None:
    made = await create(api)
    destination = (await api.call("GET", "/api/clay/destinations"))["destinations"][0]["id"]
    async with visiting(api, "other_owner") as other_owner:
        for path in (
            f"{PAGE}/{made['id']}",
            f"{PAGE}/{made['id']}/edit",
            f"/console/destinations/{destination}/mapping",
        ):
            assert (await other_owner.open(path)).status_code == 404, path
        await other_owner.open(PAGE)
        for path, fields in (
            (f"{PAGE}/{made['id']}", {"name": "Theirs"}), (f"{PAGE}/{made['id']}/archive", {}),
            (f"{PAGE}/draft", {"mapping_id": str(made["id"])}), (TEMPLATES, {"name": "x", "mapping_id": str(made["id"])}),
            (f"{TEMPLATES}/{made['id']}/remove", {}),
            (f"/console/destinations/{destination}/mapping", {"mapping_id": str(made["id"])}),
        ):  # fmt: skip
            assert (await other_owner.submit(path, fields)).status_code == 404, path
