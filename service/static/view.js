// What is on the page. Knows the document, but neither the service nor the history.

const $ = (selector, root = document) => root.querySelector(selector);

const PICTURE = 480; // width and height attributes: any square, so that the tile keeps its place

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

/** `problem`: `title` and `detail` of a Problem, or any Error; `retry`: what "Try again" does. */
export function showProblem(problem, retry) {
  const box = $("#problem");
  $("strong", box).textContent = problem.title ?? "This page made a mistake";
  $("p", box).textContent = problem.detail ?? problem.message;
  $("button", box).hidden = !retry;
  $("button", box).onclick = retry;
  box.hidden = false;
  box.scrollIntoView({ block: "nearest" });
}

export function hideProblem() {
  $("#problem").hidden = true;
}

/** The chooser of collections; one collection needs none. */
export function showCollections(names, chosen) {
  $("#collection").replaceChildren(...names.map((name) => new Option(name, name)));
  $("#collection").value = chosen;
  $("#collection-field").hidden = names.length < 2;
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
  showSubject("Your photo", picture(url, "The photo that you search with", "No preview"), [name]);
}

/** The product that is searched from; `product` has `product_id`, `attributes`, `image_url`. */
export function showProduct(product) {
  const id = element("p", "id", product.product_id);
  showSubject("Selected product", picture(product.image_url, titleOf(product)), [
    ...facts(product.attributes),
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
  $(".tile", subject).replaceChildren(image);
  $(".facts", subject).replaceChildren(...lines);
  subject.hidden = false;
  $("#choose").textContent = "Choose another photo";
}

/** Grey cards in the place of the results to come. */
export function showSkeleton(count) {
  const card = $("#skeleton").content;
  $("#grid").replaceChildren(...Array.from({ length: count }, () => card.cloneNode(true)));
}

export function clearResults() {
  $("#grid").replaceChildren();
  $("#took").textContent = "";
  allowMore(false);
}

/** Adds results behind those shown; returns the link of the first one added, if any. */
export function appendResults(results, linkOf) {
  const cards = results.map((result) => cardOf(result, linkOf(result)));
  $("#grid").append(...cards);
  return cards[0]?.querySelector("a");
}

export function showTook(tookMs) {
  const parts = Object.entries(tookMs ?? {}).filter(([, ms]) => ms > 0);
  const total = parts.reduce((sum, [, ms]) => sum + ms, 0);
  const listed = parts.map(([step, ms]) => `${step} ${milliseconds(ms)}`).join(" · ");
  $("#took").textContent = listed && `${listed} · in all ${milliseconds(total)} ms`;
}

export function allowMore(allowed) {
  $("#more").hidden = !allowed;
}

/** While the next page is on its way. */
export function waitForMore(waiting) {
  $("#more").setAttribute("aria-disabled", String(waiting));
  $("#more").textContent = waiting ? "Searching…" : "Show more";
}

export function titleOf(product) {
  return String(product.attributes?.title ?? product.product_id);
}

function cardOf(result, href) {
  const item = $("#card").content.cloneNode(true).firstElementChild;
  const link = $("a", item);
  const title = titleOf(result);
  link.href = href;
  link.dataset.product = result.product_id;
  link.setAttribute("aria-label", `More like ${title}`);
  link.append(picture(result.image_url, title));
  $(".facts", item).append(...facts(result.attributes, title));
  $("data", item).value = result.score;
  $("data", item).textContent = result.score.toFixed(3);
  return item;
}

function picture(url, alt, fallback = "No picture") {
  const missing = () => element("span", "missing", fallback);
  if (!url) return missing();
  const image = Object.assign(new Image(PICTURE, PICTURE), { alt, loading: "lazy" });
  image.decoding = "async";
  image.onerror = () => image.replaceWith(missing());
  image.src = url;
  return image;
}

function facts(attributes = {}, fallbackTitle) {
  const title = attributes.title ?? fallbackTitle;
  return [
    attributes.brand && element("p", "brand", attributes.brand),
    title && element("p", "title", title),
    priceOf(attributes),
    stockOf(attributes),
  ].filter(Boolean);
}

function priceOf({ price, regular_price: regular, currency }) {
  if (typeof price !== "number") return null;
  const line = element("p", "price", money(price, currency));
  if (typeof regular === "number" && regular > price) {
    line.append(" ", element("span", "unseen", "instead of "), element("s", "", money(regular, currency)));
  }
  return line;
}

function stockOf({ in_stock: inStock }) {
  if (typeof inStock !== "boolean") return null;
  return element("p", inStock ? "stock" : "stock out", inStock ? "In stock" : "Out of stock");
}

function money(amount, currency) {
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch {
    const plain = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 }).format(amount);
    return currency ? `${plain} ${currency}` : plain;
  }
}

function milliseconds(ms) {
  return ms < 1 ? ms.toFixed(1) : ms.toFixed(0);
}

function element(tag, className, text) {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}
