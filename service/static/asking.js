// Runs searches and stores the responses in them.
//
// `search.columns` has one response, or two when collections are compared: {name, answer} or
// {name, problem}. `answer` has the results of all pages loaded so far.

import { countValues, getAbilities, getProduct, search as ask } from "./api.js";
import { countable } from "./refine.js";
import { chosen } from "./readiness.js";
import { boxFrom } from "./search.js";

const LARGEST = 200; // products of one answer
const ATTEMPTS = 3;
const NONE = { filter: false, facets: false, order: false, findsBox: false, explain: false };
const counted = new Map(); // collection -> attributes with facets

/** Features of the service; only searching until its description is loaded. */
export const abilities = { ...NONE };
export const able = getAbilities().then((found) => Object.assign(abilities, found), () => NONE);

/** Fills `columns` and `subject` of a search. Throws only if its own collection fails. */
export async function askFirst(search, signal) {
  const names = [chosen(search), ...(search.compare ? [search.compare] : [])];
  const [subject, ...columns] = await Promise.all([
    search.subject ?? subjectOf(search, signal),
    ask(queryOf(search, names[0], 0), signal).then((answer) => ({ name: names[0], answer })),
    ...names.slice(1).map((name) => orProblem(name, ask(queryOf(search, name, 0), signal))),
  ]);
  Object.assign(search, { subject, columns });
}

/**
 * Adds the next page to each column that has one. If the `seq` of the page differs, products have
 * changed and pages may repeat or lack products: the column is requested again from the beginning.
 * Returns the new results of each column, and whether a column was requested again.
 */
export async function askMore(search, signal) {
  const added = search.columns.map(() => []);
  const changes = search.columns.map(async (column, at) => {
    const { name, answer } = column;
    if (!answer || !hasMore(answer)) return false;
    const next = await ask(queryOf(search, name, answer.results.length), signal);
    if (next.seq === answer.seq) {
      added[at] = append(answer, next);
      return false;
    }
    column.answer = await askAgain(search, name, answer.results.length + search.limit, signal);
    return true;
  });
  return { added, changed: (await Promise.all(changes)).includes(true) };
}

/** Requests the first `length` results again; pages of one `seq` unless it changes at each attempt. */
async function askAgain(search, name, length, signal, attempts = ATTEMPTS) {
  const page = (offset) => {
    const limit = Math.min(length - offset, LARGEST);
    return ask(queryOf({ ...search, limit }, name, offset), signal);
  };
  const answer = await page(0);
  while (answer.results.length < length && hasMore(answer)) {
    const next = await page(answer.results.length);
    if (next.seq !== answer.seq && attempts > 1) {
      return askAgain(search, name, length, signal, attempts - 1);
    }
    append(answer, next);
  }
  return answer;
}

/** Appends a page to an answer without repeating products; returns the appended results. */
function append(answer, { results, total }) {
  const known = new Set(answer.results.map(({ product_id: id }) => id));
  const added = results.filter(({ product_id: id }) => !known.has(id));
  answer.results.push(...added);
  answer.total = added.length ? total : answer.results.length;
  return added;
}

export function hasMore({ results, total }) {
  return results.length < total;
}

/** Counts attribute values among all products that match the filters. */
export async function facetsOf(search, signal) {
  const { name, answer } = search.columns[0];
  if (answer.facets || !abilities.facets || !answer.results.length) return answer.facets;
  const facets = countable(answer.results);
  counted.set(name, facets);
  if (!facets.length) return undefined;
  const query = queryOf(search, name, 0);
  if (!search.photo || search.minScore !== undefined) {
    return (await ask({ ...query, facets, limit: 1 }, signal)).facets;
  }
  // Counts depend only on the filters, so the photo is not uploaded again.
  return countValues(answer.results[0].product_id, facets, query, signal);
}

/** The box that was searched, drawn by the user or found by the service. */
export function boxOf({ box, columns }) {
  return boxFrom(columns?.[0].answer?.box ?? box);
}

/** A page of a search in a collection, as the functions of api.js expect it. */
export function queryOf(search, name, offset) {
  const { photo, product, limit, box, filters, minScore, boost, dedup, diversify } = search;
  const facets = abilities.facets && !offset ? counted.get(name) : undefined;
  const conditions = { filters, minScore, boost, dedup, diversify };
  return { photo, product, collection: name, limit, offset, box, facets, ...conditions };
}

async function subjectOf(search, signal) {
  if (search.photo) return undefined;
  const product = await getProduct(search.product, chosen(search), signal);
  const [{ image_url, thumbnail_url } = {}] = product.images;
  return { ...product, image_url, thumbnail_url };
}

async function orProblem(name, asked) {
  try {
    return { name, answer: await asked };
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    return { name, problem };
  }
}
