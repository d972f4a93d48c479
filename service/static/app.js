// The search page: what is searched, the history of it, and the gestures that start a search.
//
// A search is {collection, photo | product, subject, answer, scroll, left}: a File, or a product
// id; the product's own data once known; the answer with the results of all pages shown so far;
// where the reader was when they left it. Product searches live in the URL. Photos cannot, so
// every search of this visit is also kept in memory, for back and forward.

import { getProduct, getReadiness, searchPhoto, searchProduct } from "./api.js";
import { listenForPhotos } from "./photos.js";
import * as view from "./view.js";

const PAGE = 24;
const RETRY_MS = 1000;
const $ = (id) => document.getElementById(id);

const visited = new Map();
let visit = Date.now(); // keys of this load never meet those of an earlier one
let current = {};
let running = new AbortController();
let photoUrl = null;
let collections = [];

// --- searches -----------------------------------------------------------------------------

/** Shows a search and makes it the newest entry of the history. */
function open(search) {
  leave();
  visit += 1;
  visited.set(visit, search);
  history.pushState({ visit }, "", urlOf(search));
  window.scrollTo(0, 0);
  return show(search);
}

/** Shows a search: from memory if it was answered before, else by asking the service. */
async function show(search) {
  current = search;
  running.abort();
  running = new AbortController();
  view.hideProblem();
  view.clearResults();
  view.announce("");
  $("product").value = "";
  showSubject(search);
  showCollection(search);
  if (search.answer) return showAnswer(search);
  if (!search.photo && search.product === undefined) return showEmpty(search);
  return ask(search, running.signal);
}

async function ask(search, signal) {
  view.setState("searching");
  view.announce("Searching…");
  view.showSkeleton(PAGE / 2);
  try {
    await ready;
    signal.throwIfAborted();
    const [answer, subject] = await Promise.all([
      page(search, 0, signal),
      search.subject ?? subjectOf(search, signal),
    ]);
    search.answer = answer;
    if (subject !== search.subject) {
      search.subject = subject;
      showSubject(search);
    }
    showAnswer(search);
  } catch (error) {
    if (signal.aborted) return;
    view.clearResults();
    view.announce("");
    view.setState("failed");
    view.showProblem(error, error.passing ? () => show(search) : null);
  }
}

function page(search, offset, signal) {
  const options = { collection: chosen(search), limit: PAGE, offset, signal };
  return search.photo
    ? searchPhoto(search.photo, options)
    : searchProduct(search.product, options);
}

async function subjectOf(search, signal) {
  if (search.photo) return undefined;
  const product = await getProduct(search.product, { collection: chosen(search), signal });
  return { ...product, image_url: product.images[0]?.image_url };
}

async function more() {
  if ($("more").getAttribute("aria-disabled") === "true") return;
  const search = current;
  const { answer } = search;
  const { signal } = running;
  view.hideProblem();
  view.waitForMore(true);
  try {
    const next = await page(search, answer.results.length, signal);
    if (signal.aborted) return;
    answer.total = next.results.length ? next.total : answer.results.length;
    answer.results.push(...next.results);
    view.appendResults(next.results, linkOf)?.focus();
    announceCount(answer);
  } catch (error) {
    if (!signal.aborted) view.showProblem(error, error.passing ? more : null);
  } finally {
    view.waitForMore(false);
  }
}

// --- what is shown ------------------------------------------------------------------------

function showAnswer(search) {
  const { answer } = search;
  view.setState("answered");
  view.clearResults();
  view.appendResults(answer.results, linkOf);
  view.showTook(answer.took_ms);
  announceCount(answer);
}

function announceCount({ results, total }) {
  view.announce(
    results.length
      ? `${results.length} of ${total} products, the closest first`
      : "No product found in this collection.",
  );
  view.allowMore(results.length < total);
}

function showEmpty(search) {
  view.setState("empty");
  const products = collections.find(({ name }) => name === chosen(search))?.products;
  if (products === 0) view.announce("This collection has no products yet.");
  else if (products) view.announce(`${products.toLocaleString()} products to search in`);
}

function showSubject({ photo, product, subject }) {
  URL.revokeObjectURL(photoUrl);
  photoUrl = photo ? URL.createObjectURL(photo) : null;
  if (photo) view.showPhoto(photo, photoUrl);
  else if (subject) view.showProduct(subject);
  else view.hideSubject();
  view.setTitle(...titlesOf({ photo, product, subject }));
}

function titlesOf({ photo, product, subject }) {
  if (photo) return ["Products like your photo"];
  if (product === undefined) return [""];
  return ["More like this", `More like ${subject ? view.titleOf(subject) : product}`];
}

function showCollection(search) {
  if (!collections.length) return; // not known yet
  const name = chosen(search);
  const collection = collections.find((candidate) => candidate.name === name);
  view.showCollections(collections.map((each) => each.name), name);
  view.allowPhotos(collection?.photo_search ?? true);
  view.showNotice(noticeOf(collection));
}

function noticeOf(collection) {
  if (collection && collection.status !== "ready") {
    return `This collection cannot be searched: ${collection.detail ?? collection.status}.`;
  }
  if (collection?.photo_search === false) {
    return "This collection cannot be searched with a photo: start from a product.";
  }
  if (collection?.trained === false) {
    return "This collection uses untrained weights: fine for trying things out, but the results say little about likeness.";
  }
  return "";
}

// --- URL and history ----------------------------------------------------------------------

/** The collection of a search: as its URL says, else the service's default. */
function chosen({ collection }) {
  if (collection) return collection;
  const names = collections.map(({ name }) => name);
  return names.includes("default") ? "default" : (names[0] ?? "");
}

function urlOf(search) {
  const parameters = new URLSearchParams();
  if (search.product !== undefined) parameters.set("product", search.product);
  if (chosen(search)) parameters.set("collection", chosen(search));
  return `?${parameters}`;
}

function linkOf(result) {
  return urlOf({ product: result.product_id, collection: current.collection });
}

function fromUrl() {
  const parameters = new URLSearchParams(location.search);
  return {
    product: parameters.get("product") || undefined,
    collection: parameters.get("collection") || undefined,
  };
}

/** Remembers where the reader was, before another search takes the page. */
function leave() {
  current.scroll = window.scrollY;
  current.left = document.activeElement?.dataset.product;
}

/** Back or forward: the search of that entry, where it was left. */
async function travel() {
  leave();
  const search = visited.get(history.state?.visit) ?? fromUrl();
  const { scroll, left } = search;
  await show(search);
  const link = left && document.querySelector(`a[data-product="${CSS.escape(left)}"]`);
  if (link) link.focus({ preventScroll: true });
  window.scrollTo(0, scroll ?? 0);
}

// --- gestures -----------------------------------------------------------------------------

function openProduct(product, subject) {
  const opened = open({ product, subject, collection: current.collection });
  $("results-title").focus({ preventScroll: true });
  return opened;
}

function followResult(event) {
  const link = event.target.closest("a[data-product]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const id = link.dataset.product;
  openProduct(id, current.answer.results.find((result) => result.product_id === id));
}

function goHome(event) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  open({ collection: current.collection });
}

/** A photo is searched again in the other collection; a product has no meaning there. */
function changeCollection() {
  open({ collection: $("collection").value, photo: current.photo });
}

function listen() {
  listenForPhotos((photo) => open({ photo, collection: current.collection }));
  $("by-product").addEventListener("submit", (event) => {
    event.preventDefault();
    openProduct($("product").value);
  });
  $("grid").addEventListener("click", followResult);
  $("more").addEventListener("click", more);
  $("home").addEventListener("click", goHome);
  $("collection").addEventListener("change", changeCollection);
  window.addEventListener("popstate", travel);
}

// --- start --------------------------------------------------------------------------------

/** Resolves once no collection is starting any more, telling the reader about the wait. */
async function untilReady() {
  for (;;) {
    const readiness = await getReadiness().catch((problem) => problem);
    if (settled(readiness)) {
      collections = readiness.collections;
      return;
    }
    view.showNotice(waitingFor(readiness));
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** A collection that failed to start is no reason to wait: the others can be searched. */
function settled({ ready, collections: states = [] }) {
  return ready || (states.length > 0 && states.every(({ status }) => status !== "starting"));
}

function waitingFor({ status, title }) {
  if (status === "starting") return "The service is starting. This takes a few seconds…";
  return `${title ?? `The service is not ready (${status})`}. Trying again…`;
}

history.scrollRestoration = "manual";
listen();
const ready = untilReady();
const first = fromUrl();
visited.set(visit, first);
history.replaceState({ visit }, "");
show(first);
ready.then(() => {
  showCollection(current);
  if (document.body.dataset.state === "empty") showEmpty(current);
});
