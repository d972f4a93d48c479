// The rating page: starting, judging by keys and buttons, and saving.

import { formOf, postJson, request } from "./http.js";
import { Outbox } from "./outbox.js";
import { hideProblem, showProblem } from "./problems.js";
import { fillForm, keep, keepPosition, positionOf, settingsOf } from "./rate-settings.js";
import * as view from "./rate-view.js";
import { Session } from "./session.js";
import { untilReady } from "./waiting.js";

const $ = (id) => document.getElementById(id);
const GRADES = { 1: "match", 2: "similar", 3: "wrong" };
const KEYS = {
  ArrowLeft: () => choose(session.place - 1),
  ArrowRight: () => choose(session.place + 1),
  u: undo,
  Backspace: undo,
  s: skip,
  p: previous,
  n: next,
};

let settings = null;
let session = null;
let busy = false; // waiting for the service: keys do nothing

const outbox = new Outbox((count, problem) => {
  view.showSaved(count, problem);
  if (problem && !problem.passing) showProblem(problem, () => retry(() => outbox.flush()));
});

// --- the service ----------------------------------------------------------------------------

function queriesOf({ collection, compare, queries, seed }) {
  const chosen = { collection, ...(compare && { compare }), limit: queries, seed };
  return request(`v1/ratings/queries?${new URLSearchParams(chosen)}`);
}

/** Requests the results of a query. A product that was removed, or a photo that cannot be used, has none. */
async function poolOf({ product_id, photo }) {
  const { rater, collection, compare, depth } = settings;
  const asked = { rater, collection, ...(compare && { compare }), depth: Number(depth) };
  try {
    if (photo) {
      const body = formOf(photo, Object.entries(asked));
      return await request("v1/ratings/candidates", { method: "POST", body });
    }
    return await postJson("v1/ratings/candidates", { ...asked, product_id });
  } catch (problem) {
    if (photo && !problem.passing && !problem.wantsKey) {
      view.showNotice(`${photo.name} was left out: ${problem.message}`);
    } else if (problem.code !== "unknown_product") {
      throw problem;
    }
    return { query: null, candidates: [] };
  }
}

// --- steps ----------------------------------------------------------------------------------

/** Does something that may wait for the service, once at a time; offers to repeat it if it fails. */
async function step(use) {
  if (busy) return;
  busy = true;
  view.setBusy(true);
  hideProblem();
  try {
    await use();
  } catch (error) {
    showProblem(error, () => step(use));
  } finally {
    busy = false;
    view.setBusy(false);
  }
}

function retry(use) {
  hideProblem();
  view.showSession(session);
  return use();
}

async function start() {
  settings = settingsOf();
  const queries = settings.photos.length
    ? settings.photos.map((photo) => ({ photo }))
    : (await queriesOf(settings)).queries;
  if (!queries.length) return view.showNotice("There is no product that can be a query.");
  view.showNotice("");
  keep(settings);
  session = new Session(queries, poolOf);
  return go(positionOf(settings, queries), { unjudged: true });
}

async function go(at, options) {
  await session.go(at, options);
  keepPosition(settings, session.queries[session.at]);
  view.showSession(session);
  view.announce(session);
}

function judge(grade) {
  if (busy || !session?.candidate) return;
  const revising = session.complete;
  send(session.grade(grade));
  const said = `Rated ${grade}.`;
  if (revising) choose(session.place + 1, said);
  else advance(said);
}

function advance(said) {
  if (!session.pool || !session.advance()) return step(() => go(session.at + 1, { unjudged: true }));
  view.showSession(session);
  return view.announce(session, said);
}

function choose(place, said) {
  if (busy || !session.pool) return;
  session.choose(place);
  view.showSession(session);
  view.announce(session, said);
}

function skip() {
  if (!busy && session.pool) advance("Skipped.");
}

function undo() {
  if (!session.canUndo) return;
  step(async () => {
    send(await session.undo());
    view.showSession(session);
    view.announce(session, "Undone.");
  });
}

function previous() {
  if (session.at > 0) step(() => go(session.at - 1));
}

function next() {
  if (session.pool) step(() => go(session.at + 1));
}

function send(rating) {
  outbox.add({ rater: settings.rater, ...rating });
}

// --- events ---------------------------------------------------------------------------------

/** Keys work within the part of the page that has the results (WCAG 2.1.4). */
function press(event) {
  const { key, ctrlKey, metaKey, altKey } = event;
  if (altKey || ((ctrlKey || metaKey) && key !== "z")) return;
  const name = ctrlKey || metaKey ? "u" : key.length === 1 ? key.toLowerCase() : key;
  const use = GRADES[name] ? () => judge(GRADES[name]) : KEYS[name];
  if (!use) return;
  event.preventDefault();
  use();
}

function listen() {
  $("setup").addEventListener("submit", (event) => {
    event.preventDefault();
    step(start);
  });
  $("rating").addEventListener("keydown", press);
  for (const button of document.querySelectorAll("[data-grade]")) {
    button.addEventListener("click", () => judge(button.dataset.grade));
  }
  $("strip").addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (button) choose(Number(button.dataset.place));
  });
  const clicks = { undo, skip, previous, next, back: previous };
  for (const [id, use] of Object.entries(clicks)) $(id).addEventListener("click", use);
  window.addEventListener("beforeunload", (event) => {
    if (outbox.size) event.preventDefault();
  });
}

listen();
untilReady(view.showNotice).then((collections) => {
  view.showNotice("");
  fillForm(collections);
  $("start").disabled = false;
});
