// Questions to the service, and their answers kept with the search.
//
// `search.columns` are the answers: one, or two when collections are compared. Each is
// {name, answer} or {name, problem}, the answer with the results of all pages so far.

import { countValues, getAbilities, getProduct, search as ask } from "./api.js";
import { countable } from "./refine.js";
import { chosen } from "./readiness.js";
import { boxFrom } from "./search.js";

const NONE = { filter: false, facets: false, order: false, findsBox: false, explain: false };
const counted = new Map(); // collection -> the attributes whose values are counted

/** What the service can do; nothing but searching until, or unless, it says so. */
export const abilities = { ...NONE };
export const able = getAbilities().then((found) => Object.assign(abilities, found), () => NONE);

/** Fills `columns` and `subject` of a search. Fails only if its own collection does. */
export async function askFirst(search, signal) {
  const names = [chosen(search), ...(search.compare ? [search.compare] : [])];
  const [subject, ...columns] = await Promise.all([
    search.subject ?? subjectOf(search, signal),
    ask(queryOf(search, names[0], 0), signal).then((answer) => ({ name: names[0], answer })),
    ...names.slice(1).map((name) => orProblem(name, ask(queryOf(search, name, 0), signal))),
  ]);
  Object.assign(search, { subject, columns });
}

/** Adds the next page to each column that has one; gives the new results of each. */
export function askMore(search, signal) {
  return Promise.all(
    search.columns.map(async ({ name, answer }) => {
      if (!answer || !hasMore(answer)) return [];
      const next = await ask(queryOf(search, name, answer.results.length), signal);
      answer.total = next.results.length ? next.total : answer.results.length;
      answer.results.push(...next.results);
      return next.results;
    }),
  );
}

export function hasMore({ results, total }) {
  return results.length < total;
}

/** The values of attributes among all products that may be found, counted. */
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
  // What is counted depends on the filters only: the photo need not travel again.
  return countValues(answer.results[0].product_id, facets, query, signal);
}

/** The box that was searched: of the reader, or found by the service. */
export function boxOf({ box, columns }) {
  return boxFrom(columns?.[0].answer?.box ?? box);
}

/** A page of a search in a collection, as api.js takes it. */
export function queryOf(search, name, offset) {
  const { photo, product, limit, box, filters, minScore, boost, dedup, diversify } = search;
  const facets = abilities.facets && !offset ? counted.get(name) : undefined;
  const conditions = { filters, minScore, boost, dedup, diversify };
  return { photo, product, collection: name, limit, offset, box, facets, ...conditions };
}

async function subjectOf(search, signal) {
  if (search.photo) return undefined;
  const product = await getProduct(search.product, chosen(search), signal);
  return { ...product, image_url: product.images[0]?.image_url };
}

async function orProblem(name, asked) {
  try {
    return { name, answer: await asked };
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    return { name, problem };
  }
}
