// What is on the page, but for controls with a module of their own. Knows the document, but
// neither the service nor the history.

import { cardOf, element, factsOf, stagedPicture, titleOf } from "./cards.js";

const $ = (selector, root = document) => root.querySelector(selector);
const GRIDS = ["#grid", "#other-grid"];

/** One of "empty", "searching", "answered", "failed": the style sheet lays out by it. */
export function setState(state) {
  document.body.dataset.state = state;
  $("#results").setAttribute("aria-busy", String(state === "searching"));
}

/** The heading of the results, and the fuller title that the browser's history shows. */
export function setTitle(heading, title = heading) {
  $("#results-title").textContent = heading;
  document.title = [title, "Search by photo"].filter(Boolean).join(" – ");
}

/** Said aloud by screen readers, and shown above the results. */
export function announce(text) {
  $("#status").textContent = text;
}

export function showNotice(text) {
  $("#notice").textContent = text;
  $("#notice").hidden = !text;
}

/** The choosers of collections; one collection needs none. */
export function showCollections(names, chosen, compared) {
  fill($("#collection"), names, chosen);
  $("#collection-field").hidden = names.length < 2;
  $("#compare").replaceChildren(new Option("nothing", ""));
  $("#compare").append(...names.filter((name) => name !== chosen).map((name) => new Option(name)));
  $("#compare").value = compared ?? "";
  $("#compare-field").hidden = names.length < 2;
  document.body.classList.toggle("comparing", Boolean(compared));
  if (compared) $("#developers").open = true; // where the comparison is ended
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
    : "Find products that look like another";
}

/** The photo that is searched with. */
export function showPhoto(photo, url) {
  const name = element("p", "title", photo.name || "Pasted photo");
  showSubject("Your photo", stagedPicture(url, "The photo that you search with", "No preview"), [name]);
}

/** The product that is searched from; `product` has `product_id`, `attributes`, `image_url`. */
export function showProduct(product) {
  const id = element("p", "id", product.product_id);
  showSubject("Selected product", stagedPicture(product.image_url, titleOf(product)), [
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

/** What can be done about the part of the photo that is searched. */
export function showCropping({ allowed, finds, box }) {
  $("#subject").classList.toggle("cropping", allowed);
  $("#cropping").hidden = !allowed;
  $("#find-box").hidden = !finds;
  $("#start-box").hidden = Boolean(box);
  $("#no-box").hidden = !box;
}

/** Grey cards in the place of the results to come. */
export function showSkeleton(count) {
  const card = $("#skeleton").content;
  $("#grid").replaceChildren(...Array.from({ length: count }, () => card.cloneNode(true)));
}

export function clearResults() {
  for (const grid of GRIDS) $(grid).replaceChildren();
  $("#took").textContent = "";
  $("#other-problem").textContent = "";
  allowMore(false);
}

/** Adds results to a column, 0 or 1; `dress` says what their cards are to have. */
export function appendResults(column, results, dress) {
  const cards = results.map((result) => cardOf(result, dress(result)));
  $(GRIDS[column]).append(...cards);
  return cards[0]?.querySelector("a");
}

/** What stands above two columns. */
export function showColumns(titles, problem) {
  $("#column-title").textContent = titles[0];
  $("#other-title").textContent = titles[1];
  $("#other-problem").textContent = problem?.detail ?? "";
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

/** While the next page is on its way. */
export function waitForMore(waiting) {
  $("#more").setAttribute("aria-disabled", String(waiting));
  $("#more").textContent = waiting ? "Searching…" : "Show more";
}

function milliseconds(ms) {
  return ms < 1 ? ms.toFixed(1) : ms.toFixed(0);
}
