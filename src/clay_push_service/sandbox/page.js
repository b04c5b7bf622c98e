// Shows the table and updates it every second. Lead data is untrusted: it enters the page through textContent and title only.
const PAGE = 100, POLL_MS = 1000, SHOWN = 160, HOVERED = 4000;
const at = id => document.getElementById(id);
const number = new Intl.NumberFormat();
const time = new Intl.DateTimeFormat(undefined, { hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 });

let source = null, columns = [], shown = [], cursors = [null], next = null, generation = 0, submissions = -1, rowCount = -1;

async function get(path) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}
const api = path => get(`/sandbox/sources/${encodeURIComponent(source)}/${path}`);

function put(id, value, mark = "") {
  const element = at(id), text = typeof value === "number" ? number.format(value) : value;
  if (element.textContent !== text) element.textContent = text;
  element.className = mark;
}

function count(c) {
  const sum = object => Object.values(object).reduce((a, b) => a + b, 0);
  const limited = c.refused.rate_limited ?? 0, otherwise = sum(c.refused) - limited, faults = sum(c.faults);
  put("rows", c.rows);
  put("leads", c.distinct_leads);
  put("duplicates", c.duplicates, c.duplicates ? "bad" : "");
  put("repeated", c.repeated_leads, c.repeated_leads ? "warn" : "");
  put("limited", limited, limited ? "warn" : "");
  put("refused", otherwise, otherwise ? "warn" : "");
  put("faults", faults, faults ? "warn" : "");
  const named = object => Object.entries(object).filter(([k, v]) => v && k !== "rate_limited").map(([k, v]) => `${k.replaceAll("_", " ")}: ${v}`).join(", ");
  put("refused-by", named(c.refused), "note");
  put("faults-by", named(c.faults) || "as configured", "note");
  put("pace", c.arrivals.per_second_last_10.toFixed(1));
  const share = c.cap ? c.submissions / c.cap : 0;
  put("quota-text", c.cap === null ? `${number.format(c.submissions)}, no limit` : `${number.format(c.submissions)} of ${number.format(c.cap)}`);
  at("quota").value = share;
  at("quota").hidden = c.cap === null;
  at("quota").className = share >= .95 ? "bad" : "";
}

function cell(value) {
  const td = document.createElement("td");
  if (value === undefined || value === null) { td.className = "null"; td.textContent = value === null ? "–" : ""; return td; }
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (typeof value === "object") td.className = "json";
  else if (typeof value === "number") td.className = "figure";
  else td.dir = "auto";
  td.textContent = text.length > SHOWN ? text.slice(0, SHOWN) + "…" : text;
  td.title = text.length > HOVERED ? text.slice(0, HOVERED) + "…" : text;
  return td;
}

const isRecord = body => body !== null && typeof body === "object" && !Array.isArray(body);
const fields = row => isRecord(row.body) ? row.body : { "(not an object)": row.body };

function line(row, isNew) {
  const tr = document.createElement("tr"), head = document.createElement("th"), when = document.createElement("td");
  const button = document.createElement("button");
  tr.dataset.id = row.id;
  if (isNew) tr.className = "new";
  head.scope = "row";
  head.className = "number";
  button.type = "button";
  button.tabIndex = -1;  // Tab stops once; arrow keys move between rows
  button.textContent = row.id;
  button.setAttribute("aria-label", `Row ${row.id}: show all fields`);
  head.append(button);
  when.className = "time";
  when.textContent = time.format(new Date(row.arrived_at));
  when.title = row.arrived_at;
  if (row.duplicate) {
    tr.classList.add("duplicate");
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.textContent = "duplicate";
    when.append(badge);
  }
  const values = fields(row), own = key => Object.hasOwn(values, key) ? values[key] : undefined;
  tr.append(head, when, ...columns.map(key => cell(own(key))));
  return tr;
}

function learnColumns(rows) {
  const known = new Set(columns), before = columns.length;
  for (const row of [...rows].reverse()) for (const key of Object.keys(fields(row))) known.add(key);
  if (known.size === before) return false;
  // Shows the keys that identify a person first, in the order in which they were sent, and the envelope last.
  columns = [...known].filter(key => key !== "_meta").slice(0, 200);
  if (known.has("_meta")) columns.push("_meta");
  const titles = ["#", "Arrived", ...columns].map((key, n) => {
    const th = document.createElement("th");
    th.scope = "col";
    th.textContent = key;
    th.title = key;
    if (n === 0) th.className = "number";
    return th;
  });
  at("head").replaceChildren(...titles);
  return true;
}

function empty(title, message) {
  put("empty-title", title);
  put("empty-message", message);
}

function render(rows, added) {
  const focused = document.activeElement?.closest?.("tbody tr")?.dataset.id;
  const whole = learnColumns(rows) || !added || added >= PAGE;
  shown = rows;
  const body = at("body");
  if (whole) body.replaceChildren(...rows.map((row, n) => line(row, n < added)));
  else {
    body.prepend(...rows.slice(0, added).map(row => line(row, true)));
    while (body.children.length > rows.length) body.lastElementChild.remove();
  }
  const again = focused && body.querySelector(`tr[data-id="${Number(focused)}"] button`);
  const first = body.querySelector("button");
  if (!body.querySelector('button[tabindex="0"]') && first) first.tabIndex = 0;
  if (again && document.activeElement !== again) again.focus({ preventScroll: true });
  empty("No rows yet.", "Each POST to this webhook creates one row:");
  at("empty").hidden = rows.length > 0;
  at("head").hidden = rows.length === 0;
  at("older").disabled = next === null;
  at("newer").disabled = cursors.length === 1;
  at("where").textContent = shown.length ? `Rows ${number.format(shown.at(-1).id)} to ${number.format(shown[0].id)}, newest first` : "";
}

async function page() {
  const mine = ++generation, cursor = cursors.at(-1);
  const answer = await api(`rows?limit=${PAGE}${cursor ? `&cursor=${cursor}` : ""}`);
  if (mine !== generation) return;
  next = answer.next_cursor;
  render(answer.rows, 0);
  at("grid").scrollTop = 0;
}

async function follow() {
  const mine = generation, newest = shown[0]?.id ?? 0;
  const answer = await api(`rows?limit=${PAGE}&after=${newest}`);
  if (mine !== generation || !answer.rows.length) return;
  const hasGap = answer.next_cursor !== null;  // more new rows than one page, so rows between them and the shown ones are missing
  const rows = hasGap ? answer.rows : [...answer.rows, ...shown];
  if (hasGap) next = answer.next_cursor;
  else if (rows.length > PAGE) next = rows[PAGE - 1].id;
  render(rows.slice(0, PAGE), answer.rows.length);
}

async function choose(id) {
  source = id;
  columns = []; shown = []; cursors = [null]; submissions = rowCount = -1;
  at("url").textContent = `${location.origin}/v3/sources/webhook/${id}`;
  const address = new URL(location.href);
  address.searchParams.set("source", id);
  history.replaceState(null, "", address);
  await tick();
}

async function listSources() {
  const { sources } = await get("/sandbox/sources"), select = at("source");
  const ids = sources.map(one => one.id);
  if (ids.join("\n") !== [...select.options].map(one => one.value).join("\n")) {
    select.replaceChildren(...ids.map(id => new Option(id, id)));
  }
  const wanted = source ?? new URL(location.href).searchParams.get("source");
  const chosen = ids.includes(wanted) ? wanted : ids[0] ?? null;
  select.value = chosen ?? "";
  if (chosen !== source) source = chosen, chosen && await choose(chosen);
}

function state(name, text) {
  const live = at("live");
  if (live.dataset.state !== name) { live.dataset.state = name; live.textContent = text; }
}

function lost() {
  state("lost", "Sandbox not reachable");
  if (!shown.length) empty("The sandbox is not reachable.", "This page retries every second.");
}

async function turn(change, back) {
  change();
  try { await page(); } catch { back(); lost(); }
}

async function tick() {
  const mine = source, counts = await api("counts");
  if (mine !== source) return;
  count(counts);
  const fewer = counts.rows < rowCount, changed = counts.submissions !== submissions || counts.rows !== rowCount;
  if (rowCount < 0 || fewer) { if (fewer) cursors = [null]; await page(); }
  else if (changed && cursors.length === 1) await follow();
  submissions = counts.submissions;
  rowCount = counts.rows;
}

async function poll(round = 0) {
  try {
    if (round % 5 === 0 || !source) await listSources();
    if (source && !document.hidden) await tick();
    state(source ? "live" : "waiting", source ? "Live" : "No webhook yet");
    if (!source) empty("No webhook yet.", "Create one with POST /sandbox/sources and a body such as {\"id\": \"my-table\"}.");
  } catch {
    lost();
  }
  setTimeout(poll, POLL_MS, round + 1);
}

function detail(tr) {
  const row = shown.find(one => String(one.id) === tr.dataset.id);
  if (!row) return;
  at("detail-title").textContent = `Row ${row.id}, ${row.arrived_at}`;
  at("detail-json").textContent = JSON.stringify(row.body, null, 2);
  at("detail").showModal();
}

at("body").addEventListener("click", event => { const tr = event.target.closest("tr"); if (tr && (event.target.closest("button") || !getSelection().toString())) detail(tr); });
at("body").addEventListener("keydown", event => {
  const tr = event.target.closest("tr");
  const other = { ArrowDown: tr?.nextElementSibling, ArrowUp: tr?.previousElementSibling, Home: tr?.parentElement.firstElementChild, End: tr?.parentElement.lastElementChild }[event.key]?.querySelector("button");
  if (!other) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  other.tabIndex = 0;
  other.focus();
});
at("detail").addEventListener("click", event => { if (event.target === at("detail")) at("detail").close(); });
at("source").addEventListener("change", event => choose(event.target.value).catch(lost));
at("older").addEventListener("click", () => turn(() => cursors.push(next), () => cursors.pop()));
at("newer").addEventListener("click", () => { const gone = cursors.at(-1); turn(() => cursors.pop(), () => cursors.push(gone)); });
poll();
