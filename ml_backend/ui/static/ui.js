"use strict";

const ROLES = {
  hard_negative: ["hard negative", "hard negatives"], margin: ["discarded", "discarded"],
  control: ["control", "controls"], candidate: ["candidate", "candidates"], random: ["random", "random"],
  audit: ["audit", "audits"],
};
const ORDER = Object.keys(ROLES);
const WAIT = 300, RETRY = 3000;
const $ = id => document.getElementById(id);
const token = document.querySelector("meta[name=csrf-token]").content;
const knobs = [...document.querySelectorAll(".knob")];

let state = null;      // what the workspace holds
let picture = "";      // base64 of what was dropped
let positives = [];    // what the admin takes for matches, beside what is known
let running = null;    // the request for a pool that is under way
let timer = 0;

/* an element: attributes, then children; text is always text */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in made && name !== "list") made[name] = value; else made.setAttribute(name, value);
  }
  made.append(...children.filter(child => child !== null));
  return made;
}

function drawn(tag, attributes, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/* ---- talking to the backend ---- */

async function call(path, body, signal) {
  const sent = body && {
    method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRF-Token": token },
  };
  let answer;
  try {
    answer = await fetch(`/ui/${path}`, { ...sent, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw { error: "The backend does not answer.", mend: "It is asked again in some seconds.", retry: true };
  }
  const said = await answer.json().catch(() => ({ error: `The backend answered ${answer.status}.` }));
  if (!answer.ok) throw said;
  return said;
}

function tell(said) {
  if (!said.error) throw said;
  const lines = [make("b", {}, said.error)];
  if (said.problems?.length) lines.push(make("ul", {}, ...said.problems.map(one => make("li", {}, one))));
  for (const line of [said.why, said.mend]) if (line) lines.push(make("p", {}, line));
  $("trouble").replaceChildren(...lines);
  $("trouble").classList.toggle("wait", Boolean(said.retry));
  $("trouble").hidden = false;
}

/* ---- settings ---- */

function control(knob) { return knob.querySelector("input[type=range], select"); }
function box(knob) { return knob.querySelector("input[type=checkbox]"); }

function value(knob) {
  if (box(knob) && !box(knob).checked) return null;
  return control(knob).tagName === "SELECT" ? control(knob).value : Number(control(knob).value);
}

function turned() {
  const changes = {};
  for (const knob of knobs) {
    const [section, key] = knob.dataset.name.split(".");
    if (value(knob) !== state.settings[knob.dataset.name]) (changes[section] ??= {})[key] = value(knob);
  }
  return changes;
}

function show(knob) {
  const now = value(knob), input = control(knob);
  knob.querySelector("output").textContent = now === null ? "off" : input.tagName === "SELECT" ? "" : String(now);
  input.disabled = now === null;
  knob.classList.toggle("turned", now !== state.settings[knob.dataset.name]);
}

function setKnobs() {
  for (const knob of knobs) {
    const now = state.settings[knob.dataset.name], input = control(knob);
    if (box(knob)) box(knob).checked = now !== null;
    if (input.type === "range" && now !== null) {
      input.max = Math.max(input.max, now);
      input.min = Math.min(input.min, now);
      if (Math.abs(now / input.step - Math.round(now / input.step)) > 1e-6) input.step = "any";
    }
    if (now !== null) input.value = now;
    show(knob);
  }
  count();
}

function count() {
  const changed = Object.values(turned()).reduce((sum, one) => sum + Object.keys(one).length, 0);
  $("turned").textContent = changed ? `${changed} changed` : "As in settings.toml";
  $("use").disabled = $("reset").disabled = !changed;
}

async function look() {
  try {
    const seen = await call("settings", { settings: turned() });
    const lines = seen.diff.trimEnd().split("\n").map(line => {
      const kind = { "+": "come", "-": "gone", "@": "where" }[line[0]] ?? "";
      return make("span", { className: kind }, `${line}\n`);
    });
    $("diff").replaceChildren(...lines);
    $("write").dataset.base = seen.base;
    $("confirm").showModal();
  } catch (said) { tell(said); }
}

async function write() {
  $("confirm").close();
  try {
    await call("settings", { settings: turned(), base: $("write").dataset.base });
    await load();
    $("turned").textContent = "Written. New pools follow it.";
    ask();
  } catch (said) { tell(said); }
}

/* ---- what the workspace holds ---- */

async function load() {
  try {
    state = await call("state");
  } catch (said) {
    $("status").textContent = "Not available";
    $("status").className = "status off";
    tell(said);
    if (said.retry) setTimeout(load, RETRY);
    return;
  }
  $("trouble").hidden = true;
  service(state);
  const encoders = state.encoders.map(one => `${one.name}: ${one.items.toLocaleString()} items`);
  $("facts").textContent = [state.workspace, ...encoders, `${state.queries.toLocaleString()} queries`].join(" · ");
  $("known").replaceChildren(...state.known.map(one => make("option", { value: one.text })));
  const kept = $("candidates").value;
  $("candidates").replaceChildren(...state.candidates.map(one => make("option", { value: one.value }, one.label)));
  if (kept) $("candidates").value = kept;
  const examples = state.known.filter(one => one.positives).slice(0, 4);
  if ($("examples")) {
    $("examples").replaceChildren(...examples.map(one => {
      const button = make("button", { type: "button" }, one.text);
      button.addEventListener("click", () => { $("text").value = one.text; fresh(); });
      return button;
    }));
  }
  const problem = state.encoders.find(one => one.problem);
  if (problem) tell({ error: problem.problem });
  setKnobs();
}

/* whether new queries can be encoded; asked again until they can */
function service(said) {
  const [text, kind] = said.ready ? ["Encoders ready", "ready"]
    : said.failure ? ["Encoders cannot be loaded", "off"] : ["Encoders are loading…", ""];
  $("status").textContent = text;
  $("status").className = `status ${kind}`;
  if (said.failure) tell({ error: said.failure, mend: "Known queries can be looked at meanwhile." });
  else if (!said.ready) setTimeout(() => call("state").then(service, () => service({})), RETRY);
}

/* ---- the pool ---- */

function fresh() { positives = []; ask(); }
function soon() { clearTimeout(timer); timer = setTimeout(ask, WAIT); }

async function ask() {
  clearTimeout(timer);
  const text = picture ? "" : $("text").value.trim();
  if (!state || (!text && !picture)) return;
  running?.abort();
  const mine = running = new AbortController();
  $("answer").setAttribute("aria-busy", "true");
  try {
    const body = { candidates: $("candidates").value, text, picture, positives, settings: turned() };
    const made = await call("pool", body, mine.signal);
    $("trouble").hidden = true;
    draw(made);
  } catch (said) {
    if (said.name === "AbortError") return;
    tell(said);
    if (said.retry) timer = setTimeout(ask, RETRY);
  }
  if (running === mine) $("answer").setAttribute("aria-busy", "false");
}

function role(card) { return card.doubtful ? "margin" : card.role; }

function draw(made) {
  const cards = [...made.candidates].sort((a, b) =>
    ORDER.indexOf(role(a)) - ORDER.indexOf(role(b)) || b.score - a.score);
  const lists = [
    ["Known matches", made.matches, "control", "What margins are measured from."],
    ["Kept out by a margin", made.kept_out, "margin",
      "Too close to a known match to serve as negatives: there the matches hide that nobody knows."],
    ["Next hard negatives", made.waiting, "hard_negative", "Mined, and without a place in the pool."],
  ];
  $("answer").replaceChildren(
    summary(made, cards), limits(made),
    heading(`The pool of ${named(made.query)}`, "Here by role; people see it in another order, and no roles."),
    grid(cards, made),
    ...lists.filter(([, list]) => list.count).flatMap(([title, list, kind, says]) => [
      heading(`${title} (${list.count})`, list.cards.length < list.count ? `${says} The first ${list.cards.length}.` : says),
      grid(list.cards, made, kind),
    ]),
  );
}

function named(query) {
  const words = query.text || (query.known ? query.query_id : "");
  return words ? `“${words.length > 60 ? `${words.slice(0, 60)}…` : words}”` : "the picture";
}

function heading(title, says) {
  return make("div", { className: "head" }, make("h2", {}, title), make("p", { className: "quiet" }, says));
}

function chip(number, [one, many], kind = "") {
  return number ? make("span", { className: `chip ${kind}` }, make("b", {}, String(number)), ` ${number === 1 ? one : many}`) : null;
}

function summary(made, cards) {
  const screens = Math.ceil(cards.length / made.per_screen);
  return make("div", { className: "summary" },
    chip(cards.length, ["in the pool", "in the pool"]),
    ...ORDER.map(name => chip(cards.filter(card => role(card) === name).length, ROLES[name], `dot ${name}`)),
    chip(made.folded, ["near-duplicate folded", "near-duplicates folded"]),
    chip(made.matches.count, ["known match", "known matches"]),
    chip(screens, ["screen", "screens"]));
}

/* of each encoder: similarities to the query on a line, and from where on a margin forbids a negative */
function limits(made) {
  const all = [...made.kept_out.cards, ...made.waiting.cards, ...made.candidates];
  return make("div", { className: "limits" }, ...made.limits.map(limit => {
    const dots = all.filter(card => limit.encoder in card.similar);
    const values = dots.map(card => card.similar[limit.encoder]);
    if (limit.positive !== null) values.push(limit.positive);
    const low = Math.min(...values), high = Math.max(...values);
    const x = at => Math.min(100, Math.max(0, 1 + 98 * (at - low) / (high - low || 1)));
    const svg = drawn("svg", { role: "img", "aria-label": `Similarities to the query in ${limit.encoder}` });
    if (limit.highest !== null) {
      svg.append(drawn("rect", { class: "bound", x: `${x(limit.highest)}%`, y: 2, width: `${100 - x(limit.highest)}%`, height: 28 }));
      svg.append(drawn("line", { class: "mark", x1: `${x(limit.highest)}%`, x2: `${x(limit.highest)}%`, y1: 2, y2: 30 }));
    }
    svg.append(drawn("line", { class: "axis", x1: 0, x2: "100%", y1: 30, y2: 30 }));
    for (const card of dots) {
      const at = card.similar[limit.encoder];
      const dot = drawn("circle", { class: card.positive ? "control" : role(card), cx: `${x(at)}%`, cy: 16, r: 5 });
      dot.append(drawn("title", {}, `${card.title || card.doc_id}: ${at.toFixed(3)}`));
      svg.append(dot);
    }
    svg.append(drawn("text", { x: 0, y: 46 }, low.toFixed(3)));
    svg.append(drawn("text", { x: "100%", y: 46, "text-anchor": "end" }, high.toFixed(3)));
    return make("figure", {}, make("figcaption", {}, make("b", {}, limit.encoder), ` · ${said(limit)}`), svg);
  }));
}

function said(limit) {
  const parts = [];
  if (limit.positive !== null) parts.push(`the lowest known match has a similarity of ${limit.positive.toFixed(3)}`);
  parts.push(limit.highest === null
    ? "no known match, so no margin: take a card for a match to try one"
    : `a negative may have at most ${limit.highest.toFixed(3)}`);
  return `${parts.join("; ")}.`;
}

function grid(cards, made, kind = "") {
  const top = Math.max(1, ...cards.map(card => card.score));
  return make("ol", { className: kind ? "cards small" : "cards" },
    ...cards.map(card => one(card, made, kind || role(card), kind ? null : bar(card, top))));
}

function one(card, made, kind, score) {
  const why = [
    card.rank && !score && `rank ${card.rank} of its source`,
    card.reason !== card.source && card.reason,
    card.drawn && `1 of ${card.drawn} drawn of ${card.drawn_from.toLocaleString()}`,
    card.stands_for.length && `stands for ${card.stands_for.join(", ")}`,
  ];
  const told = make("div", { className: "told" },
    make("span", { className: "badge" }, ROLES[kind][0]),
    card.title ? make("div", { className: "title", title: card.title }, card.title) : null,
    make("div", { className: "row" },
      make("span", { className: "id" }, card.doc_id),
      make("span", { className: "rank" }, score && card.rank ? `rank ${card.rank}` : "")),
    score,
    make("div", { className: "from" }, card.source),
    ...why.filter(Boolean).map(line => make("div", { className: "why" }, line)),
    match(card));
  return make("li", { className: `card ${kind}` }, media(card, made.query.modality), told);
}

function bar(card, top) {
  const says = "Mean similarity, in standard deviations above the corpus";
  return make("div", { className: "score", title: says }, "score",
    make("meter", { min: 0, max: top, value: Math.max(0, card.score), "aria-label": says }), make("b", {}, card.score.toFixed(2)));
}

function match(card) {
  const chosen = positives.includes(card.doc_id);
  if (card.positive && !chosen) return make("span", { className: "match known" }, "known match");
  const button = make("button", { type: "button", className: "match" }, chosen ? "taken for a match" : "take for a match");
  button.setAttribute("aria-pressed", String(card.positive));
  button.addEventListener("click", () => {
    positives = chosen ? positives.filter(one => one !== card.doc_id) : [...positives, card.doc_id];
    ask();
  });
  return button;
}

function media(card, asked) {
  const sought = new URLSearchParams({ asked, candidates: $("candidates").value, doc_id: card.doc_id });
  const look = make("div", { className: "look" });
  if (card.modality === "text") {
    look.append(make("div", { className: "words", tabIndex: 0 }, card.text || card.title));
  } else if (card.modality === "image") {
    const shown = make("img", { src: `/ui/thumb?${sought}`, alt: card.title || card.text || card.doc_id, loading: "lazy" });
    shown.addEventListener("error", () => shown.replaceWith(make("span", { className: "none" }, "The picture cannot be read")));
    look.append(shown);
  } else {
    const stretch = card.start === null && card.end === null ? "" : `#t=${card.start ?? 0}${card.end === null ? "" : `,${card.end}`}`;
    const shown = make(card.modality, { src: `/ui/media?${sought}${stretch}`, controls: true, preload: "metadata" });
    shown.setAttribute("aria-label", card.title || card.doc_id);
    look.append(shown);
  }
  return look;
}

/* ---- a picture as the query ---- */

async function take(file) {
  if (!file || !state) return;
  if (file.size > state.max_bytes) {
    tell({ error: `The picture has ${file.size.toLocaleString()} bytes; at most ${state.max_bytes.toLocaleString()} are read.` });
    return;
  }
  const url = await new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result);
    reader.onerror = failed;
    reader.readAsDataURL(file);
  });
  picture = url.slice(url.indexOf(",") + 1);
  $("text").value = "";
  $("dropped").textContent = file.name;
  $("forget").hidden = false;
  await paint(file);
  fresh();
}

/* drawn, not linked: the page's policy lets no picture in that the backend did not send */
async function paint(file) {
  const canvas = $("picture");
  canvas.hidden = true;
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) return;
  const scale = Math.min(1, 240 / Math.max(bitmap.width, bitmap.height));
  canvas.width = Math.max(1, bitmap.width * scale);
  canvas.height = Math.max(1, bitmap.height * scale);
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  canvas.hidden = false;
}

function forget() {
  picture = "";
  $("file").value = "";
  $("picture").hidden = $("forget").hidden = true;
  $("dropped").textContent = "Or drop a picture here, or";
}

/* ---- events ---- */

$("ask").addEventListener("submit", event => { event.preventDefault(); fresh(); });
$("text").addEventListener("input", () => { if (picture && $("text").value) forget(); });
$("candidates").addEventListener("change", fresh);
$("file").addEventListener("change", () => take($("file").files[0]));
$("forget").addEventListener("click", () => { forget(); $("text").focus(); });
$("knobs").addEventListener("submit", event => event.preventDefault());
$("knobs").addEventListener("input", event => {
  if (!state) return;
  show(event.target.closest(".knob"));
  count();
  soon();
});
$("reset").addEventListener("click", () => { setKnobs(); ask(); });
$("use").addEventListener("click", look);
$("write").addEventListener("click", write);
$("unfold").addEventListener("click", () => {
  const open = $("panel").classList.toggle("open");
  $("unfold").setAttribute("aria-expanded", String(open));
  $("unfold").textContent = open ? "Hide" : "Show";
});
$("cancel").addEventListener("click", () => $("confirm").close());
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, event => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") take(event.dataTransfer.files[0]);
  });
}
load();
