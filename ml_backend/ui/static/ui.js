"use strict";

const ROLES = {
  candidate: "candidate", hard_negative: "hard negative", margin: "discarded by a margin", control: "control",
  random: "random", audit: "audit",
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
    const lines = seen.diff.split("\n").map(line => {
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
  $("status").textContent = state.ready ? "Encoders ready" : "Encoders are loading…";
  $("status").className = `status ${state.ready ? "ready" : ""}`;
  if (!state.ready) setTimeout(waken, RETRY);
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

async function waken() {
  const said = await call("state").catch(() => ({ ready: false }));
  if (!said.ready) { setTimeout(waken, RETRY); return; }
  $("status").textContent = "Encoders ready";
  $("status").className = "status ready";
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

function plural(number, one, many = `${one}s`) { return `${number.toLocaleString()} ${number === 1 ? one : many}`; }

function draw(made) {
  const cards = [...made.candidates].sort((a, b) =>
    ORDER.indexOf(role(a)) - ORDER.indexOf(role(b)) || b.score - a.score);
  const top = Math.max(1, ...cards.map(card => card.score));
  const parts = [summary(made, cards), limits(made)];
  parts.push(heading("The pool", "What people would judge, here by role; they see it in another order, without roles."));
  parts.push(grid(cards, top, made));
  if (made.kept_out.count) {
    const shown = made.kept_out.cards.length, of = made.kept_out.count;
    parts.push(heading(`Kept out by a margin (${of})`, "Too close to a known match to serve as negatives: likely matches "
      + `that nobody knows.${shown < of ? ` The first ${shown}.` : ""}`));
    parts.push(grid(made.kept_out.cards, top, made, "margin"));
  }
  if (made.waiting.count) {
    const shown = made.waiting.cards.length, of = made.waiting.count;
    parts.push(heading(`Next hard negatives (${of})`, "Mined, and without a place in the pool; these would come next."
      + `${shown < of ? ` The first ${shown}.` : ""}`));
    parts.push(grid(made.waiting.cards, top, made, "hard_negative"));
  }
  $("answer").replaceChildren(...parts);
}

function heading(title, says) {
  return make("div", { className: "head" }, make("h2", {}, title), make("p", { className: "quiet" }, says));
}

function summary(made, cards) {
  const chips = [[cards.length, "candidates"], ...ORDER.map(name => [cards.filter(c => role(c) === name).length, ROLES[name]])];
  const known = made.query.positives.length;
  const screens = Math.ceil(cards.length / made.per_screen);
  const said = [
    ...chips.filter(([number], n) => number && n !== 1).map(([number, name]) => [number, name]),
    [made.folded, "near-duplicates folded"], [known, known === 1 ? "known match" : "known matches"],
    [screens, screens === 1 ? "screen" : "screens"],
  ];
  return make("div", { className: "summary" },
    ...said.map(([number, name]) => make("span", { className: "chip" }, make("b", {}, String(number)), ` ${name}`)));
}

/* of each encoder: similarities to the query on a line, and from where on a margin forbids a negative */
function limits(made) {
  const all = [...made.candidates, ...made.kept_out.cards, ...made.waiting.cards];
  return make("div", { className: "limits" }, ...made.limits.map(limit => {
    const dots = all.filter(card => limit.encoder in card.similar);
    const values = dots.map(card => card.similar[limit.encoder]);
    if (limit.positive !== null) values.push(limit.positive);
    const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
    const x = at => 10 + 580 * (at - low) / span;
    const svg = drawn("svg", { viewBox: "0 0 600 54", role: "img", "aria-label": `Similarities in ${limit.encoder}` });
    if (limit.highest !== null) {
      const from = Math.min(600, Math.max(0, x(limit.highest)));
      svg.append(drawn("rect", { class: "bound", x: from, y: 6, width: 600 - from, height: 24 }));
      svg.append(drawn("line", { class: "mark", x1: from, x2: from, y1: 4, y2: 32 }));
    }
    svg.append(drawn("line", { class: "axis", x1: 0, x2: 600, y1: 31, y2: 31 }));
    for (const card of dots) {
      const dot = drawn("circle", { class: card.positive ? "positive" : role(card), cx: x(card.similar[limit.encoder]), cy: 18, r: 5.5 });
      dot.append(drawn("title", {}, `${card.title || card.doc_id}: ${card.similar[limit.encoder].toFixed(3)}`));
      svg.append(dot);
    }
    svg.append(drawn("text", { x: 0, y: 47 }, low.toFixed(3)));
    svg.append(drawn("text", { x: 600, y: 47, "text-anchor": "end" }, high.toFixed(3)));
    const said = limit.highest === null
      ? "no known match, so no margin: take one of the cards for a match to try it"
      : `a negative may score at most ${limit.highest.toFixed(3)}`;
    const lowest = limit.positive === null ? "" : `; the lowest known match has ${limit.positive.toFixed(3)}`;
    return make("figure", {}, make("figcaption", {}, make("b", {}, limit.encoder), ` similarity to the query: ${said}${lowest}.`), svg);
  }));
}

function grid(cards, top, made, as = "") {
  return make("ol", { className: "cards" }, ...cards.map(card => one(card, top, made, as || role(card))));
}

function one(card, top, made, kind) {
  const rank = card.rank ? make("span", { className: "rank" }, `rank ${card.rank}`) : null;
  const told = make("div", { className: "told" },
    make("div", { className: "row" }, make("span", { className: "badge" }, ROLES[kind]), rank),
    card.title ? make("div", { className: "title", title: card.title }, card.title) : null,
    make("div", { className: "id" }, card.doc_id));
  if (card.role !== "hard_negative" || card.score) told.append(bar(card, top));
  told.append(make("div", { className: "from" }, card.source));
  if (card.reason && card.reason !== card.source) told.append(make("div", { className: "why" }, card.reason));
  if (card.drawn) told.append(make("div", { className: "why" }, `1 of ${card.drawn} drawn of ${card.drawn_from.toLocaleString()}`));
  if (card.stands_for.length) {
    told.append(make("div", { className: "why" }, `stands for ${plural(card.stands_for.length, "near-duplicate")}: ${card.stands_for.join(", ")}`));
  }
  told.append(match(card));
  return make("li", { className: `card ${kind}` }, media(card, made.query.modality), told);
}

function bar(card, top) {
  const says = "Mean similarity, in standard deviations above the corpus";
  return make("div", { className: "score", title: says }, "score",
    make("meter", { min: 0, max: top, value: Math.max(0, card.score), "aria-label": says }), make("b", {}, card.score.toFixed(2)));
}

function match(card) {
  const chosen = positives.includes(card.doc_id), known = card.positive && !chosen;
  const button = make("button", { type: "button", className: "match", disabled: known },
    known ? "known match" : chosen ? "taken for a match" : "take for a match");
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
  $("dropped").textContent = "Or drop a picture here,";
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
$("cancel").addEventListener("click", () => $("confirm").close());
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, event => {
    event.preventDefault();
    $("drop").classList.toggle("over", name === "dragenter" || name === "dragover");
    if (name === "drop") take(event.dataTransfer.files[0]);
  });
}
load();
