// Texts about the results of one or two collections.

import { titleOf } from "./cards.js";
import { collectionOf } from "./readiness.js";

/** The rank of each product in a column, from 1. */
export function ranksOf(column) {
  return new Map(column?.answer?.results.map(({ product_id: id }, at) => [id, at + 1]));
}

/** The title of a column. */
export function describe({ name, answer }) {
  const weights = collectionOf(name)?.weights;
  return [name, weights && `weights ${weights}`, answer && `${answer.total.toLocaleString()} products`]
    .filter(Boolean)
    .join(" · ");
}

/** A sentence about the results; `box`: the requested part of the photo. */
export function summaryOf([{ answer }, other], box) {
  const { results, total } = answer;
  if (!results.length) return "No product matches. Try fewer filters or a lower minimum score.";
  const whole = box === "auto" && !answer.box ? "; the whole photo was searched, because no product stands out" : "";
  return `${results.length} of ${total} products, most similar first${agreement(results, other)}${whole}`;
}

/** The heading of a search, and its longer title for the browser's history. */
export function titlesOf({ photo, product, subject }) {
  if (photo) return ["Products like your photo"];
  if (product === undefined) return [""];
  return ["More like this", `More like ${subject ? titleOf(subject) : product}`];
}

function agreement(results, other) {
  if (!other) return "";
  if (other.problem) return `; ${other.name} could not be searched`;
  const ranks = ranksOf(other);
  const shared = results.filter(({ product_id: id }) => ranks.has(id)).length;
  return `; ${shared} of them are in both columns`;
}
