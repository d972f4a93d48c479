// What the rating page shows. Uses the document only.

import { picture } from "./cards.js";

const $ = (id) => document.getElementById(id);
const thumb = $("thumb").content;
const PARTS = ["setup", "rating", "finished"];

let shown = null; // the pool in the strip
let photoUrl = null; // of the query, if it is a photo

/** Shows one of the parts of the page. */
function showPart(part) {
  if (document.body.dataset.state === part) return;
  document.body.dataset.state = part;
  for (const name of PARTS) $(name).hidden = name !== part;
  $("progress").hidden = false;
  window.scrollTo(0, 0);
}

/** Marks the page as waiting for the service. */
export function setBusy(busy) {
  $("rating").setAttribute("aria-busy", String(busy));
  $("start").setAttribute("aria-disabled", String(busy));
}

export function showNotice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

/** Shows the query and the result at which a session is. */
export function showSession(session) {
  const { at, place, pool, candidate, queries } = session;
  const number = `Query ${Math.min(at + 1, queries.length)} of ${queries.length}`;
  $("progress-text").textContent = number;
  $("bar").max = queries.length;
  $("bar").value = at;
  $("previous").disabled = at === 0;
  $("undo").disabled = !session.canUndo;
  if (!pool) return showFinished(number);
  showPart("rating");
  if (pool !== shown) showPool(pool, queries[at]);
  $("place").textContent = candidate ? `Result ${place + 1} of ${pool.candidates.length}` : "No results";
  $("result-title").textContent = candidate?.title ?? "";
  showPhotos("result", candidate?.image_urls ?? [], nameOf(candidate, place));
  for (const button of document.querySelectorAll("[data-grade]")) {
    button.disabled = !candidate;
    button.setAttribute("aria-pressed", String(button.dataset.grade === candidate?.grade));
  }
  showStrip(pool, place);
  if (!$("rating").contains(document.activeElement)) $("rating").focus({ preventScroll: true });
  return undefined;
}

/** Says what was done and where the session is now, for screen readers. */
export function announce({ at, place, pool, candidate }, said = "") {
  const where = pool ? `Query ${at + 1}. ${nameOf(candidate, place)}` : "All queries are done.";
  $("status").textContent = `${said} ${where}`.trim();
}

/** Shows how many judgements are not stored yet, and whether sending them failed. */
export function showSaved(count, failed) {
  $("saved").textContent = count ? `${failed ? "Not saved yet" : "Saving"}: ${count}` : "Saved";
  $("saved").classList.toggle("failed", Boolean(failed));
}

function showFinished(number) {
  shown = null;
  $("counts").textContent = `${number}: each result is rated or skipped.`;
  showPart("finished");
  $("finished").focus();
}

function showPool(pool, { photo }) {
  shown = pool;
  URL.revokeObjectURL(photoUrl);
  photoUrl = photo ? URL.createObjectURL(photo) : null;
  const title = pool.query?.title ?? photo?.name ?? "";
  $("query-title").textContent = title;
  showPhotos("query", photo ? [photoUrl] : (pool.query?.image_urls ?? []), `Query: ${title}`);
  $("strip").replaceChildren(...pool.candidates.map(thumbOf));
}

function showPhotos(id, [first, ...others], alt) {
  $(id).replaceChildren(eager(first, alt));
  $(`${id}-more`).replaceChildren(
    ...others.map((url, number) => {
      const item = document.createElement("li");
      item.className = "tile";
      item.append(eager(url, `${alt}, photo ${number + 2}`));
      return item;
    }),
  );
  $(`${id}-more`).hidden = !others.length;
}

function eager(url, alt) {
  return Object.assign(picture(url, alt), { loading: "eager" });
}

function thumbOf(candidate, place) {
  const item = thumb.cloneNode(true).firstElementChild;
  const button = item.querySelector("button");
  button.dataset.place = place;
  button.append(eager(candidate.image_urls[0], ""));
  return item;
}

function showStrip({ candidates }, place) {
  for (const button of $("strip").querySelectorAll("button")) {
    const number = Number(button.dataset.place);
    const { grade } = candidates[number];
    button.dataset.graded = grade ?? "";
    button.setAttribute("aria-label", `Result ${number + 1}: ${grade ?? "not rated"}`);
    button.setAttribute("aria-current", String(number === place));
    if (number === place) reveal(button);
  }
}

/** Scrolls the strip, and not the page, until a thumbnail is in the middle. */
function reveal(button) {
  const { offsetLeft, offsetWidth } = button.parentElement;
  $("strip").scrollLeft = offsetLeft + (offsetWidth - $("strip").clientWidth) / 2;
}

function nameOf(candidate, place) {
  if (!candidate) return "No results";
  return `Result ${place + 1}: ${candidate.title ?? candidate.product_id}`;
}
