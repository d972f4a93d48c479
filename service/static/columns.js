// What is said of answers: of one, or of two collections beside each other.

import { titleOf } from "./cards.js";
import { collectionOf } from "./readiness.js";

/** Where each product is in a column, from 1 on. */
export function ranksOf(column) {
  return new Map(column?.answer?.results.map(({ product_id: id }, at) => [id, at + 1]));
}

/** What stands above a column. */
export function describe({ name, answer }) {
  const weights = collectionOf(name)?.weights;
  return [name, weights && `weights ${weights}`, answer && `${answer.total.toLocaleString()} products`]
    .filter(Boolean)
    .join(" · ");
}

/** What an answer is, in a sentence; `box`: the part of the photo that was asked for. */
export function summaryOf([{ answer }, other], box) {
  const { results, total } = answer;
  if (!results.length) return "No product matches: fewer filters or a lower score may find some.";
  const whole = box === "auto" && !answer.box ? "; no one product stands out in the photo" : "";
  return `${results.length} of ${total} products, the closest first${agreement(results, other)}${whole}`;
}

/** The heading of a search, and its fuller title in the browser's history. */
export function titlesOf({ photo, product, subject }) {
  if (photo) return ["Products like your photo"];
  if (product === undefined) return [""];
  return ["More like this", `More like ${subject ? titleOf(subject) : product}`];
}

function agreement(results, other) {
  if (!other) return "";
  if (other.problem) return `; ${other.name} has no answer`;
  const ranks = ranksOf(other);
  const shared = results.filter(({ product_id: id }) => ranks.has(id)).length;
  return `; ${shared} of them are in both columns`;
}
