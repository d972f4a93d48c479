// Controls that refine a search: conditions as chips, facet values, price, minimum score.

import { element } from "./cards.js";
import { replaced, toggled, valuesOf } from "./search.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 7; // values of an attribute before "more"
const MOST_FACETS = 6;
const LONGEST = 40;
// Attributes that do not classify products, or have their own control.
const NOT_COUNTED = ["title", "description", "price", "regular_price", "currency", "link", "image_link"];
const FIRST = ["category", "product_type", "brand", "color", "in_stock"];
const TYPED = ["filter", "boost"]; // free text, which the service may reject
const PRICE = { "price-from": "price>=", "price-to": "price<=" };

let filters = [];

/**
 * Calls `change` with the changed settings; for free text also with a function that shows why it
 * was rejected.
 */
export function listenForRefinements(change) {
  const toggle = ({ target }) => {
    const button = target.closest("button[data-field]");
    if (button) change({ filters: toggled(filters, button.dataset.field, button.dataset.value) });
  };
  $("facets").addEventListener("click", toggle);
  $("chips").addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const { filter } = button.dataset;
    change({ filters: filter === undefined ? [] : filters.filter((each) => each !== filter) });
    ($("chips").querySelector("button") ?? $("results-title")).focus({ preventScroll: true });
  });
  $("filter-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const filter = $("filter").value.trim();
    const known = !filter || filters.includes(filter);
    const add = () => change({ filters: [...filters, filter] }, (why) => refuse("filter", why));
    if (known || (await add()) !== false) $("filter").value = "";
  });
  for (const [id, start] of Object.entries(PRICE)) {
    $(id).addEventListener("change", ({ target }) => {
      if (target.checkValidity()) change({ filters: replaced(filters, start, target.value && start + target.value) });
    });
  }
  $("dedup").addEventListener("change", ({ target }) => change({ dedup: target.checked || undefined }));
  $("diversify").addEventListener("change", ({ target }) => change({ diversify: target.value || undefined }));
  $("boost").addEventListener("change", ({ target }) => {
    change({ boost: target.value.trim() || undefined }, (why) => refuse("boost", why));
  });
  for (const id of TYPED) $(id).addEventListener("input", () => refuse(id, ""));
  $("min-score").addEventListener("input", showScore);
  $("min-score").addEventListener("change", ({ target }) => change({ minScore: Number(target.value) || undefined }));
  $("limit").addEventListener("change", ({ target }) => change({ limit: Number(target.value) }));
  const narrow = matchMedia("(max-width: 799px)");
  $("refine").open = !narrow.matches;
  $("refine").addEventListener("toggle", () => {
    if ($("refine").open && narrow.matches) $("results").scrollIntoView(); // above the sheet
  });
}

/** Shows a search's settings in the controls. */
export function showSettings(search, abilities) {
  filters = search.filters;
  for (const id of TYPED) refuse(id, "");
  $("chips").replaceChildren(...filters.map(chipOf), ...(filters.length > 1 ? [clearAll()] : []));
  $("filtering").hidden = !abilities.filter;
  for (const [id, start] of Object.entries(PRICE)) {
    $(id).value = filters.find((filter) => filter.startsWith(start))?.slice(start.length) ?? "";
  }
  $("ordering").hidden = !abilities.order;
  $("boost").value = search.boost ?? "";
  $("dedup").checked = Boolean(search.dedup);
  choose($("diversify"), search.diversify ?? "");
  $("min-score").value = search.minScore ?? 0;
  showScore();
  choose($("limit"), String(search.limit));
}

/** Shows next to a field why the service rejected its value; "" clears it. */
function refuse(id, why) {
  $(id).ariaInvalid = why ? "true" : null;
  $(`${id}-refusal`).textContent = why && why[0].toUpperCase() + why.slice(1);
  if (why) $(`${id}-refusal`).scrollIntoView({ block: "nearest" });
}

function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) select.append(new Option(value));
  select.value = value;
}

/** Shows facets, and the price filter if products have a price. */
export function showFacets(facets = {}, results = []) {
  const focused = document.activeElement?.dataset;
  const opened = new Set([...$("facets").querySelectorAll("details[open]")].map(({ dataset }) => dataset.of));
  const spread = $("diversify").value;
  const groups = Object.entries(facets).filter(([, counts]) => counts.length);
  $("facets").replaceChildren(...groups.map(([field, counts]) => groupOf(field, counts, opened.has(field))));
  for (const [field] of groups) choose($("diversify"), field);
  choose($("diversify"), spread);
  if (results.length) $("price").hidden = !results.some(({ attributes }) => typeof attributes?.price === "number");
  if (focused?.field !== undefined) focusAgain(focused);
}

/** The attributes to count: those with values shared by products on the page. */
export function countable(results) {
  const values = new Map();
  for (const { attributes } of results) {
    for (const [field, value] of Object.entries(attributes ?? {})) {
      if (isKind(field, value)) values.set(field, [...(values.get(field) ?? []), String(value)]);
    }
  }
  const shared = [...values.keys()].filter((field) => new Set(values.get(field)).size < values.get(field).length);
  const place = (field) => (FIRST.indexOf(field) + 1 || FIRST.length + 1);
  return shared.sort((a, b) => place(a) - place(b)).slice(0, MOST_FACETS);
}

function isKind(field, value) {
  if (NOT_COUNTED.includes(field) || !/^\w+$/.test(field)) return false;
  return typeof value === "boolean" || Array.isArray(value) || (typeof value === "string" && value.length <= LONGEST);
}

function chipOf(filter) {
  const item = element("li", "");
  const button = element("button", "chip", filter);
  Object.assign(button, { type: "button", ariaLabel: `Remove the filter ${filter}` });
  button.dataset.filter = filter;
  item.append(button);
  return item;
}

function clearAll() {
  const item = element("li", "");
  item.append(Object.assign(element("button", "plain", "Clear all"), { type: "button" }));
  return item;
}

function groupOf(field, counts, opened) {
  const group = element("fieldset", "facet");
  const chosen = valuesOf(filters, field);
  const list = (part) => {
    const all = element("ul", "");
    all.append(...part.map((each) => valueOf(field, each, chosen)));
    return all;
  };
  group.append(element("legend", "", wordsOf(field)), list(counts.slice(0, SHOWN)));
  if (counts.length > SHOWN) {
    const rest = Object.assign(element("details", "rest"), { open: opened });
    rest.dataset.of = field;
    rest.append(element("summary", "", `${counts.length - SHOWN} more`), list(counts.slice(SHOWN)));
    group.append(rest);
  }
  return group;
}

function valueOf(field, { value, count }, chosen) {
  const item = element("li", "");
  const button = Object.assign(element("button", "value"), { type: "button" });
  Object.assign(button.dataset, { field, value });
  button.setAttribute("aria-pressed", String(chosen.includes(String(value))));
  const shown = typeof value === "boolean" ? (value ? "Yes" : "No") : value;
  button.append(element("span", "name", shown), " ", element("span", "count", count.toLocaleString()));
  item.append(button);
  return item;
}

function wordsOf(field) {
  const words = field.replaceAll("_", " ");
  return words[0].toUpperCase() + words.slice(1);
}

function focusAgain({ field, value }) {
  const buttons = [...$("facets").querySelectorAll("button[data-field]")];
  const same = buttons.find(({ dataset }) => dataset.field === field && dataset.value === value);
  (same ?? $("results-title")).focus({ preventScroll: true });
}

function showScore() {
  const score = Number($("min-score").value);
  const shown = score ? score.toFixed(2) : "any";
  $("min-score-shown").textContent = shown;
  $("min-score").setAttribute("aria-valuetext", shown);
}
