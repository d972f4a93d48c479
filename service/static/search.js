// What is searched, as data: what goes into the URL, and what goes to the service.
//
// A search is {photo | product, collection, compare, filters, minScore, limit, box, ...}: `photo`
// a File, `product` an id, `compare` a second collection, `box` "auto" or [x1, y1, x2, y2] as
// fractions. What has been found out since is kept with it: see app.js.

export const PAGE = 24;

/** What a new search keeps of an earlier one. A box is of one photo, filters of one store. */
export function settingsOf({ collection, compare, filters, minScore, limit }) {
  return { collection, compare, filters, minScore, limit };
}

export function fromUrl(text) {
  const given = new URLSearchParams(text);
  const box = given.get("box");
  return {
    product: given.get("product") || undefined,
    collection: given.get("collection") || undefined,
    compare: given.get("compare") || undefined,
    filters: given.getAll("filter"),
    minScore: numberOr(undefined, given.get("min_score")),
    limit: numberOr(PAGE, given.get("limit")),
    box: box === "auto" ? box : boxFrom(box),
  };
}

/** The address of a search. A photo cannot be in it, everything else is. */
export function urlOf({ product, collection, compare, filters, minScore, limit }) {
  const parameters = new URLSearchParams();
  if (product !== undefined) parameters.set("product", product);
  if (collection) parameters.set("collection", collection);
  if (compare) parameters.set("compare", compare);
  for (const filter of filters) parameters.append("filter", filter);
  if (minScore !== undefined) parameters.set("min_score", minScore);
  if (limit !== PAGE) parameters.set("limit", limit);
  return `?${parameters}`;
}

/** The parameters of a search as the service takes them: pairs of name and value. */
export function parametersOf({ collection, filters = [], minScore, limit, offset, box, facets }) {
  const pairs = [["limit", limit]];
  if (offset) pairs.push(["offset", offset]);
  if (collection) pairs.push(["collection", collection]);
  for (const filter of filters) pairs.push(["filter", filter]);
  if (minScore !== undefined) pairs.push(["min_score", minScore]);
  if (box) pairs.push(["box", box]);
  if (facets?.length) pairs.push(["facets", facets.join(",")]);
  return pairs.map(([name, value]) => [name, String(value)]);
}

/** A box, from the text or the list that the service gives; undefined if it is none. */
export function boxFrom(value) {
  const corners = (Array.isArray(value) ? value : String(value ?? "").split(",")).map(Number);
  return corners.length === 4 && corners.every(Number.isFinite) ? corners : undefined;
}

// --- filters: field:value, field:a,"b, c", price<=50, or one of these after "!" -----------

/** The values that the filters ask of a field. */
export function valuesOf(filters, field) {
  const clause = filters.find((filter) => filter.startsWith(`${field}:`));
  return clause ? split(clause.slice(field.length + 1)) : [];
}

/** The filters with a value of a field taken in or, if it was there, out. */
export function toggled(filters, field, value) {
  const before = valuesOf(filters, field);
  const text = String(value);
  const after = before.includes(text) ? before.filter((v) => v !== text) : [...before, text];
  const clause = `${field}:${after.map(quoted).join(",")}`;
  return replaced(filters, `${field}:`, after.length ? clause : "");
}

/** The filters with the one that starts so replaced, where it was; "" removes it. */
export function replaced(filters, start, clause) {
  const at = filters.findIndex((filter) => filter.startsWith(start));
  if (at < 0) return clause ? [...filters, clause] : filters;
  return filters.toSpliced(at, 1, ...(clause ? [clause] : []));
}

function quoted(value) {
  return /[",]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function split(text) {
  const values = text.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^",]+))\s*(?:,|$)/g);
  return [...values].map(([, within, plain]) => within?.replaceAll('""', '"') ?? plain.trim());
}

function numberOr(fallback, text) {
  return text === null || text === "" || !Number.isFinite(Number(text)) ? fallback : Number(text);
}
