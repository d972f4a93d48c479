// The parts of the page that have no module of their own. Uses the document, but neither the
// service nor the history.

import { cardOf, element, factsOf, resized, stagedPicture, titleOf } from "./cards.js";

const $ = (selector, root = document) => root.querySelector(selector);
const GRIDS = ["#grid", "#other-grid"];

/** Sets the state that the style sheet uses: "empty", "searching", "answered" or "failed". */
export function setState(state) {
  document.body.dataset.state = state;
  $("#results").setAttribute("aria-busy", String(state === "searching"));
}

/** Shows a failed search: no results, only the error. */
export function fail() {
  clearResults();
  announce("");
  setState("failed");
}

/** Sets the heading of the results, and the longer title for the browser's history. */
export function setTitle(heading, title = heading) {
  $("#results-title").textContent = heading;
  document.title = [title, "Search by photo"].filter(Boolean).join(" – ");
}

/** Shows a text above the results; screen readers announce it. */
export function announce(text) {
  $("#status").textContent = text;
}

/** Shows a notice about a collection, and a detail for its operators under "For developers". */
export function showNotice(text, detail = "") {
  $("#notice").textContent = text;
  $("#notice").hidden = !text;
  $("#detail").textContent = detail;
}

/** Shows the selection of collections if there is more than one. */
export function showCollections(names, chosen, compared) {
  fill($("#collection"), names, chosen);
  $("#collection-field").hidden = names.length < 2;
  $("#compare").replaceChildren(new Option("none", ""));
  $("#compare").append(...names.filter((name) => name !== chosen).map((name) => new Option(name)));
  $("#compare").value = compared ?? "";
  $("#compare-field").hidden = names.length < 2;
  document.body.classList.toggle("comparing", Boolean(compared));
  if (compared) $("#developers").open = true; // the control that ends the comparison
  for (const id of ["#column-title", "#other-column"]) $(id).hidden = !compared;
}

function fill(select, names, chosen) {
  select.replaceChildren(...names.map((name) => new Option(name)));
  select.value = chosen;
}

export function allowPhotos(allowed) {
  $("#ask").hidden = !allowed;
  $("#query-title").textContent = allowed
    ? "Find products that look like your photo"
    : "Find similar products";
}

/** Shows the photo of the search. */
export function showPhoto(photo, url) {
  const name = element("p", "title", photo.name || "Pasted photo");
  showSubject("Your photo", stagedPicture(url, "Your photo", "No preview"), [name]);
}

/** Shows the product of the search: `product_id`, `attributes`, `thumbnail_url`. */
export function showProduct(product) {
  const id = element("p", "id", product.product_id);
  showSubject("Selected product", stagedPicture(resized(product.thumbnail_url, 640), titleOf(product)), [
    ...factsOf(product.attributes),
    id,
  ]);
}

export function hideSubject() {
  $("#subject").hidden = true;
  $("#choose").textContent = "Choose a photo";
}

function showSubject(kind, image, lines) {
  const subject = $("#subject");
  $(".kind", subject).textContent = kind;
  $("#pictured").replaceChildren(image);
  $(".facts", subject).replaceChildren(...lines);
  subject.hidden = false;
  $("#choose").textContent = "Choose another photo";
}

/** Shows the buttons for cropping. */
export function showCropping({ allowed, finds, box }) {
  $("#subject").classList.toggle("cropping", allowed);
  $("#cropping").hidden = !allowed;
  $("#find-box").hidden = !finds;
  $("#start-box").hidden = Boolean(box);
  $("#no-box").hidden = !box;
}

/** Shows grey placeholder cards. */
export function showSkeleton(count) {
  const card = $("#skeleton").content;
  $("#grid").replaceChildren(...Array.from({ length: count }, () => card.cloneNode(true)));
}

export function clearResults() {
  for (const grid of GRIDS) $(grid).replaceChildren();
  $("#took").textContent = "";
  $("#other-problem").textContent = "";
  showChange("");
  allowMore(false);
}

/** Adds results to a column, 0 or 1; `dress` gives the options of their cards. */
export function appendResults(column, results, dress) {
  const cards = results.map((result) => cardOf(result, dress(result)));
  $(GRIDS[column]).append(...cards);
}

/** Focuses the first result after the given number of results per column. */
export function focusResult(counts) {
  const links = GRIDS.map((grid, at) => document.querySelectorAll(`${grid} a[data-product]`)[counts[at]]);
  links.find(Boolean)?.focus();
}

/** Shows a notice that the results have changed; "" hides it. */
export function showChange(text) {
  $("#changed").textContent = text;
}

/** Shows the titles of two columns. */
export function showColumns(titles, problem) {
  $("#column-title").textContent = titles[0];
  $("#other-title").textContent = titles[1];
  $("#other-problem").textContent = problem ?? "";
}

export function showTook(tookMs) {
  const parts = Object.entries(tookMs ?? {}).filter(([, ms]) => ms > 0);
  const total = parts.reduce((sum, [, ms]) => sum + ms, 0);
  const listed = parts.map(([step, ms]) => `${step} ${milliseconds(ms)}`).join(" · ");
  $("#took").textContent = listed && `${listed} · total ${milliseconds(total)} ms`;
}

export function allowMore(allowed) {
  $("#more").hidden = !allowed;
}

/** Disables "Show more" while the next page is loading. */
export function waitForMore(waiting) {
  $("#more").setAttribute("aria-disabled", String(waiting));
  $("#more").textContent = waiting ? "Searching…" : "Show more";
}

function milliseconds(ms) {
  return ms < 1 ? ms.toFixed(1) : ms.toFixed(0);
}
