// Explanation of a result: heat maps of where its photo and the query's are similar.

import { explain } from "./api.js";
import { stagedPicture, titleOf } from "./cards.js";
import { wordsOf } from "./problems.js";
import { boxFrom } from "./search.js";

const dialog = document.getElementById("why");
const part = (selector) => dialog.querySelector(selector);
let running = new AbortController();

/** Shows the explanation. `query`: {photo | product, collection, box}, `url`: its picture. */
export async function showWhy(query, url, result) {
  const title = titleOf(result);
  part("h2").textContent = `Why ${title}?`;
  part(".score").textContent = result.score.toFixed(3);
  part("meter").value = Math.max(0, result.score);
  stage(".of-query", url, "Your search");
  stage(".of-result", result.image_url, title);
  part(".said").textContent = "Loading…";
  dialog.showModal();
  running = new AbortController();
  const { signal } = running;
  try {
    const found = await explain(query, result.product_id, signal);
    if (!query.photo) stage(".of-query", found.query.image_url, "Your search");
    stage(".of-result", found.result.image_url, title);
    heat(".of-query", found.query);
    heat(".of-result", found.result);
    part(".said").textContent = "Warmer areas contribute more to the score.";
  } catch (error) {
    if (!signal.aborted) part(".said").textContent = wordsOf(error).detail;
  }
}

dialog.addEventListener("close", () => running.abort());
part("#heat").addEventListener("change", ({ target }) => dialog.classList.toggle("cold", !target.checked));

function stage(selector, url, alt) {
  part(`${selector} .stage`).replaceChildren(stagedPicture(url, alt));
}

/** Draws a heat map over a photo, or over the searched part of it. */
function heat(selector, { rows, box }) {
  const [x1, y1, x2, y2] = boxFrom(box) ?? [0, 0, 1, 1];
  const canvas = document.createElement("canvas");
  canvas.className = "heat";
  canvas.width = rows[0].length;
  canvas.height = rows.length;
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(canvas.width, canvas.height);
  rows.flat().forEach((warmth, at) => pixels.data.set(colourOf(warmth), 4 * at));
  context.putImageData(pixels, 0, 0);
  Object.assign(canvas.style, {
    left: `${100 * x1}%`, top: `${100 * y1}%`, width: `${100 * (x2 - x1)}%`, height: `${100 * (y2 - y1)}%`,
  });
  part(`${selector} .stage`).append(canvas);
}

/** From transparent through red to yellow; it also gets lighter, for colour-blind users. */
function colourOf(warmth) {
  const w = Math.min(Math.max(warmth, 0), 1);
  return [235, Math.round(40 + 190 * w), Math.round(60 - 40 * w), Math.round(215 * w ** 1.3)];
}
