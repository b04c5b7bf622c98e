"""Static files: vendored bytes, sizes, caching, and icons that templates use."""

import gzip
import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

from clay_push_service.console.pages.static_files import BY_NAME, BY_URL, CACHE_FOREVER, CACHE_ONE_HOUR
from tests.harness.api import Api

VENDORED = {
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse-4.0.1.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "LICENSE-htmx.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
    "LICENSE-lucide.txt": "b495047bd93a9b06913511076f504daba17d5bbeb3e0650f3bb53a4220329c57",
}
"""SHA-256 of the files in npm's htmx.org 4.0.1 and lucide-static 1.62.0."""
MOST_SCRIPT_BYTES = 50_000
MOST_BUTTON_BYTES = 4_096
CONSOLE = Path(str(files("clay_push_service.console")))
TEMPLATES = sorted((CONSOLE / "templates").rglob("*.html"))
ICON = re.compile(r"""(?:icon|empty)\(['"]([a-z0-9-]+)['"]|icon_name=['"]([a-z0-9-]+)['"]""")


@pytest.mark.parametrize("name", VENDORED)
def test_vendored_file_is_the_published_one(name: str) -> None:
    assert hashlib.sha256(BY_NAME[name].content).hexdigest() == VENDORED[name]


def test_scripts_of_the_heaviest_page_fit_the_budget() -> None:
    others = {"sign_in.js", "push-button.js"}
    scripts = [found for name, found in BY_NAME.items() if name.endswith(".js") and name not in others]
    assert sum(len(each.content) for each in scripts) <= MOST_SCRIPT_BYTES


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_inline_script_style_or_foreign_address(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(
        r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|hx-on|js:|https?://(?!www\.w3\.org)", text
    )


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = BY_NAME["icons.svg"].content.decode()
    named = {
        name
        for path in TEMPLATES
        for found in ICON.findall(path.read_text("utf-8"))
        for name in found
        if name and path.name != "macros.html"
    }
    assert named
    assert {name for name in named if f'<symbol id="{name}"' not in sprite} == set()


async def test_the_push_button_is_small_and_has_a_name_that_does_not_change(app_client: Api) -> None:
    answer = await app_client.http.get("/console/push-button.js")
    assert (answer.status_code, answer.content) == (200, BY_NAME["push-button.js"].content)
    assert answer.headers["cache-control"] == CACHE_ONE_HOUR
    assert len(answer.content) < MOST_BUTTON_BYTES
    assert not re.search(r"innerHTML|\.style\b|eval|https?://", answer.text), "it needs no exception from a policy"


async def test_a_file_is_kept_forever_under_the_name_of_its_content(app_client: Api) -> None:
    for url, found in BY_URL.items():
        answer = await app_client.http.get(url, headers={"Accept-Encoding": "identity"})
        assert (answer.status_code, answer.content) == (200, found.content)
        assert answer.headers["cache-control"] == CACHE_FOREVER
        assert answer.headers["content-type"] == found.media_type
        packed = await app_client.http.get(url, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(found.compressed) == found.content
    for unknown in ("console.css", "console.000000000000.css", "../routes.py"):
        assert (await app_client.http.get(f"/console/static/{unknown}")).status_code == 404
