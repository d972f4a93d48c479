// A search as data, for the URL and for the service.
//
// A search is {photo | product, collection, compare, filters, minScore, limit, box, boost, dedup,
// diversify, ...}: `photo` a File, `product` an id, `compare` a second collection, `box` "auto" or
// [x1, y1, x2, y2] as fractions. app.js adds further fields.

export const PAGE = 24;

/** The settings that a new search inherits; a box belongs to its photo. */
export function settingsOf({ collection, compare, filters, minScore, limit, boost, dedup, diversify }) {
  return { collection, compare, filters, minScore, limit, boost, dedup, diversify };
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
    boost: given.get("boost") || undefined,
    dedup: given.has("dedup") || undefined,
    diversify: given.get("diversify") || undefined,
    box: box === "auto" ? box : boxFrom(box),
  };
}

/** The URL of a search, with everything except a photo. */
export function urlOf({ product, collection, compare, limit, ...rest }) {
  const own = { product, collection, compare, limit: limit === PAGE ? undefined : limit };
  return `?${new URLSearchParams([...pairsOf(own), ...conditionsOf(rest)])}`;
}

/** The parameters of a search for the service: pairs of name and value. */
export function parametersOf({ limit, offset, collection, box, facets, ...rest }) {
  const own = { limit, offset: offset || undefined, collection, box, facets: facets?.join(",") };
  return [...pairsOf(own), ...conditionsOf(rest)];
}

/** A search from a product as a JSON body; like `similar`, the product itself is excluded. */
export function documentOf({ product, offset, collection, limit, filters, minScore, boost, dedup, diversify, facets }) {
  const own = { more_like: [product], offset, collection, limit, filter: filters, facets };
  return { ...own, min_score: minScore, boost, dedup, diversify };
}

function conditionsOf({ filters = [], minScore, boost, dedup, diversify }) {
  const conditions = filters.map((filter) => ["filter", filter]);
  return [...conditions, ...pairsOf({ min_score: minScore, boost, dedup, diversify })];
}

function pairsOf(named) {
  const given = Object.entries(named).filter(([, value]) => value !== undefined && value !== "");
  return given.map(([name, value]) => [name, String(value)]);
}

/** A box from text or an array; undefined if invalid. */
export function boxFrom(value) {
  const corners = (Array.isArray(value) ? value : String(value ?? "").split(",")).map(Number);
  return corners.length === 4 && corners.every(Number.isFinite) ? corners : undefined;
}

// --- filters: field:value, field:a,"b, c", price<=50, or one of these after "!" -----------

/** The values of a field in the filters. */
export function valuesOf(filters, field) {
  const clause = filters.find((filter) => filter.startsWith(`${field}:`));
  return clause ? split(clause.slice(field.length + 1)) : [];
}

/** The filters with a value of a field added or, if present, removed. */
export function toggled(filters, field, value) {
  const before = valuesOf(filters, field);
  const text = String(value);
  const after = before.includes(text) ? before.filter((v) => v !== text) : [...before, text];
  const clause = `${field}:${after.map(quoted).join(",")}`;
  return replaced(filters, `${field}:`, after.length ? clause : "");
}

/** The filters with the one that begins with `start` replaced in place; "" removes it. */
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
