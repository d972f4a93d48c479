// What is rated and by whom: the form, the URL, and what the browser remembers.

const form = document.getElementById("setup");
const field = (name) => form.elements[name];
const RATER = "rater";
const POSITION = "rating-position";
const IN_URL = ["collection", "compare", "queries", "depth", "seed"];

/** Fills the form from the URL and the last visit. */
export function fillForm(collections) {
  const names = collections.map(({ name }) => name);
  const given = new URLSearchParams(location.search);
  field("collection").replaceChildren(...names.map((name) => new Option(name)));
  if (names.includes("default")) field("collection").value = "default";
  for (const name of IN_URL) {
    if (given.has(name) && name !== "compare") field(name).value = given.get(name);
  }
  offerOthers(names, given.get("compare"));
  field("collection").addEventListener("change", () => offerOthers(names, field("compare").value));
  field("rater").value ||= localStorage.getItem(RATER) ?? ""; // it may have been typed already
  document.getElementById("compare-field").hidden = names.length < 2;
  showSource();
}

/** The settings of the form; `photos` are Files, and none if products are the queries. */
export function settingsOf() {
  const values = Object.fromEntries(new FormData(form));
  const photos = values.source === "photos" ? [...document.getElementById("photos").files] : [];
  return { ...values, rater: values.rater.trim(), photos };
}

/** Remembers who rates, and makes the URL lead to the same settings. */
export function keep(settings) {
  localStorage.setItem(RATER, settings.rater);
  const given = IN_URL.filter((name) => settings[name]).map((name) => [name, settings[name]]);
  history.replaceState(null, "", `?${new URLSearchParams(given)}`);
}

/** Remembers the query at which a rater is; none at the end, and none when the queries are photos. */
export function keepPosition(settings, query) {
  if (settings.photos.length) return;
  const position = { study: studyOf(settings), product_id: query?.product_id };
  localStorage.setItem(POSITION, JSON.stringify(position));
}

/** The number of the query at which the rater was; the sample may have changed since. */
export function positionOf(settings, queries) {
  const kept = JSON.parse(localStorage.getItem(POSITION) ?? "null");
  if (settings.photos.length || kept?.study !== studyOf(settings)) return 0;
  return Math.max(0, queries.findIndex(({ product_id }) => product_id === kept.product_id));
}

function studyOf({ rater, collection, compare, queries, depth, seed }) {
  return JSON.stringify([rater.toLowerCase(), collection, compare, queries, depth, seed]);
}

function offerOthers(names, chosen) {
  const others = names.filter((name) => name !== field("collection").value);
  field("compare").replaceChildren(new Option("none", ""), ...others.map((name) => new Option(name)));
  field("compare").value = others.includes(chosen) ? chosen : "";
}

/** Shows the fields of the chosen kind of queries. */
function showSource() {
  const photos = form.elements.source.value === "photos";
  document.getElementById("count-field").hidden = photos;
  document.getElementById("photos-field").hidden = !photos;
  document.getElementById("photos").required = photos;
}

form.addEventListener("change", showSource);
