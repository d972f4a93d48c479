// The search page: the current search, its history, and the events that start a search.
//
// A search has the fields described in search.js, plus `subject` (data of the product searched
// from), `columns` (the responses, see asking.js), `scroll` and `left` (the position, see visits.js).

import { abilities, able, askFirst, askMore, boxOf, facetsOf, hasMore, queryOf } from "./asking.js";
import { describe, ranksOf, summaryOf } from "./columns.js";
import { listenForBoxes, startBox } from "./crop.js";
import { showCurl } from "./curl.js";
import { showWhy } from "./explain.js";
import { listenForPhotos } from "./photos.js";
import { hideProblem, showProblem, wordsOf } from "./problems.js";
import { chosen, collectionOf, names, noticeOf, ready } from "./readiness.js";
import { listenForRefinements, showFacets, showSettings } from "./refine.js";
import { fromUrl, settingsOf, urlOf } from "./search.js";
import { pictureOf, showCropping, showSubject } from "./subject.js";
import * as view from "./view.js";
import * as visits from "./visits.js";

const $ = (id) => document.getElementById(id);

let current = fromUrl(location.search);
let entry = current; // of the history; differs from `current` while a refinement is requested
let running = new AbortController();

// --- searches -----------------------------------------------------------------------------

/** Shows a search and adds it to the history. */
function open(search) {
  enter(search);
  window.scrollTo(0, 0);
  return show(search);
}

function enter(search) {
  visits.leave(entry);
  visits.push(search, addressOf(search));
  entry = search;
}

/**
 * Repeats the search with changed settings, without scrolling. If the request fails, the page
 * stays as it was. If the service rejects the settings and `refuse` is given, calls it with the
 * reason, changes nothing and returns false.
 */
async function refine(changes, refuse) {
  const { photo, product, subject, box } = current;
  const search = { ...settingsOf(current), photo, product, subject, box, ...changes };
  if (refuse && !(await accepted(search, refuse))) return false;
  if (search.columns || !entry.columns) enter(search);
  return show(search, { keep: true });
}

/** Runs the search before the page changes; returns whether the service accepted it. */
async function accepted(search, refuse) {
  const before = current;
  const { state } = document.body.dataset;
  view.setState("searching");
  try {
    await askFirst(search);
  } catch (error) {
    if (current !== before) return false;
    view.setState(before.columns ? "answered" : state);
    if (error.status === 400) refuse(wordsOf(error).detail);
    else showProblem(error, () => refine(search));
    return false;
  }
  return current === before;
}

/** Shows a search, from memory if it was completed before. */
async function show(search, { keep = false } = {}) {
  current = search;
  running.abort();
  running = new AbortController();
  hideProblem();
  if (!keep) view.clearResults();
  view.announce("");
  $("product").value = "";
  showSubject(search);
  showCollection(search);
  showSettings(search, abilities);
  if (search.columns) return showAnswer(search);
  if (!search.photo && search.product === undefined) return showEmpty(search);
  return ask(search, running.signal, keep);
}

async function ask(search, signal, keep) {
  view.setState("searching");
  view.announce("Searching…");
  if (!keep) view.showSkeleton(search.limit / 2);
  try {
    await Promise.all([ready, able]);
    signal.throwIfAborted();
    showSettings(search, abilities);
    await askFirst(search, signal);
    if (search !== entry) enter(search);
    showSubject(search);
    showAnswer(search);
  } catch (error) {
    if (!signal.aborted) fail(search, error);
  }
}

/** Shows the error. If a refinement failed, the results before it stay. */
function fail(search, error) {
  const changed = search !== entry;
  if (changed) show(entry);
  else view.fail();
  showProblem(error, () => (changed ? refine(search) : show(search)));
}

async function more() {
  if ($("more").getAttribute("aria-disabled") === "true") return;
  const search = current;
  const { signal } = running;
  hideProblem();
  view.showChange("");
  view.waitForMore(true);
  try {
    const before = search.columns.map(({ answer }) => answer?.results.length ?? 0);
    const { added, changed } = await askMore(search, signal);
    if (signal.aborted) return;
    if (changed) {
      showAnswer(search);
      view.showChange("Products have changed, so the list was loaded again.");
    } else {
      added.forEach((results, at) => view.appendResults(at, results, dressOf(search, at)));
      announceCount(search);
    }
    view.focusResult(before);
  } catch (error) {
    if (!signal.aborted) showProblem(error, more);
  } finally {
    view.waitForMore(false);
  }
}

// --- what is shown ------------------------------------------------------------------------

function showAnswer(search) {
  const [{ answer }, other] = search.columns;
  view.setState("answered");
  view.clearResults();
  search.columns.forEach((column, at) => {
    view.appendResults(at, column.answer?.results ?? [], dressOf(search, at));
  });
  if (other) view.showColumns(search.columns.map(describe), other.problem && wordsOf(other.problem).detail);
  view.showTook(answer.took_ms);
  announceCount(search);
  showCropping(search);
  countFacets(search, running.signal);
}

async function countFacets(search, signal) {
  try {
    const { answer } = search.columns[0];
    answer.facets = await facetsOf(search, signal);
    if (!signal.aborted) showFacets(answer.facets, answer.results);
  } catch {
    if (!signal.aborted) showFacets(); // show the results without facets
  }
}

/** Returns a function that gives the options of the cards of a column. */
function dressOf(search, column) {
  const { name } = search.columns[column];
  const other = search.columns[1 - column];
  const ranks = ranksOf(other);
  return ({ product_id: product }) => ({
    href: addressOf({ ...settingsOf(search), ...settingsIn(search, name), product }),
    why: abilities.explain,
    shared: ranks.has(product) && `№ ${ranks.get(product)} in ${other.name}`,
  });
}

function announceCount({ columns, box }) {
  view.announce(summaryOf(columns, box));
  view.allowMore(columns.some((column) => column.answer && hasMore(column.answer)));
}

function showEmpty(search) {
  view.setState("empty");
  const { status, products } = collectionOf(chosen(search)) ?? {};
  if (!["ready", "mismatch", "no_model"].includes(status)) return;
  if (products === 0) view.announce("This collection has no products yet.");
  else if (products) view.announce(`${products.toLocaleString()} products to search in`);
}

function showCollection(search) {
  if (!names().length) return; // not known yet
  const collection = collectionOf(chosen(search));
  view.showCollections(names(), chosen(search), search.compare);
  view.allowPhotos(collection?.photo_search ?? true);
  view.showNotice(noticeOf(collection), collection?.detail);
}

// --- URL and history ----------------------------------------------------------------------

function addressOf(search) {
  return urlOf({ ...search, collection: chosen(search) });
}

/** Handles back and forward: shows the search of that entry at its last position. */
async function travel() {
  visits.leave(entry);
  const search = visits.arrived() ?? fromUrl(location.search);
  entry = search;
  await show(search);
  visits.restore(search);
}

// --- events -------------------------------------------------------------------------------

/** Swaps the two collections if `name` is the one compared with. */
function settingsIn(search, name) {
  const compare = search.compare && name === search.compare ? chosen(search) : search.compare;
  return { collection: name, compare };
}

function openProduct(product, subject, name = chosen(current)) {
  const settings = { ...settingsOf(current), ...settingsIn(current, name) };
  const opened = open({ ...settings, product, subject });
  $("results-title").focus({ preventScroll: true });
  return opened;
}

function resultOf(event) {
  const column = Number(event.currentTarget.id === "other-grid");
  const { name, answer } = current.columns[column];
  const id = event.target.closest("li").querySelector("a").dataset.product;
  return { name, result: answer.results.find(({ product_id: each }) => each === id) };
}

function followResult(event) {
  if (event.target.closest("button")) return askWhy(event);
  const link = event.target.closest("a[data-product]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return undefined;
  event.preventDefault();
  const { name, result } = resultOf(event);
  return openProduct(result.product_id, result, name);
}

function askWhy(event) {
  const { name, result } = resultOf(event);
  const { photo, product, subject } = current;
  const query = { photo, product, collection: name, box: photo && boxOf(current) };
  return showWhy(query, pictureOf({ photo, subject }), result);
}

function goHome(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open({ ...fromUrl(""), collection: current.collection });
}

/** Repeats a photo search in another collection, without its product and filters. */
function changeCollection() {
  const { photo, minScore, limit, box } = current;
  open({ ...fromUrl(""), photo, minScore, limit, box, collection: $("collection").value });
}

function listen() {
  listenForPhotos((photo) => open({ ...settingsOf(current), photo }));
  listenForBoxes((box) => refine({ box: box ?? undefined }));
  listenForRefinements(refine);
  $("by-product").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("product").value) openProduct($("product").value);
  });
  const clicks = { more, home: goHome, grid: followResult, "other-grid": followResult };
  for (const [id, use] of Object.entries(clicks)) $(id).addEventListener("click", use);
  $("show-curl").addEventListener("click", () => showCurl(queryOf(current, chosen(current), 0)));
  $("start-box").addEventListener("click", () => refine({ box: startBox() }));
  $("find-box").addEventListener("click", () => refine({ box: "auto" }));
  $("no-box").addEventListener("click", () => {
    refine({ box: undefined });
    $("start-box").focus();
  });
  $("skip").addEventListener("click", (event) => {
    event.preventDefault(); // a "#" in the URL would add an entry to the history
    $("results-title").focus();
  });
  $("collection").addEventListener("change", changeCollection);
  $("compare").addEventListener("change", ({ target }) => refine({ compare: target.value || undefined }));
  window.addEventListener("popstate", travel);
}

// --- start --------------------------------------------------------------------------------
history.scrollRestoration = "manual";
listen();
visits.begin(current);
show(current);
Promise.all([ready, able]).then(() => {
  showCollection(current);
  showSettings(current, abilities);
  if (document.body.dataset.state === "empty") showEmpty(current);
});
