// Why a product was found: where its photo and the query's are alike, as heat over both.

import { explain } from "./api.js";
import { stagedPicture, titleOf } from "./cards.js";
import { boxFrom } from "./search.js";

const dialog = document.getElementById("why");
const part = (selector) => dialog.querySelector(selector);
let running = new AbortController();

/** Shows it. `query`: {photo | product, collection, box}, `url`: of its picture. */
export async function showWhy(query, url, result) {
  const title = titleOf(result);
  part("h2").textContent = `Why ${title}?`;
  part(".score").textContent = result.score.toFixed(3);
  part("meter").value = Math.max(0, result.score);
  stage(".of-query", url, "What you search with");
  stage(".of-result", result.image_url, title);
  part(".said").textContent = "Looking closer…";
  dialog.showModal();
  running = new AbortController();
  const { signal } = running;
  try {
    const found = await explain(query, result.product_id, signal);
    if (!query.photo) stage(".of-query", found.query.image_url, "What you search with");
    stage(".of-result", found.result.image_url, title);
    heat(".of-query", found.query);
    heat(".of-result", found.result);
    part(".said").textContent = "The warmer a place, the more it speaks for the likeness.";
  } catch (error) {
    if (!signal.aborted) part(".said").textContent = error.detail || error.message;
  }
}

dialog.addEventListener("close", () => running.abort());
part("#heat").addEventListener("change", ({ target }) => dialog.classList.toggle("cold", !target.checked));

function stage(selector, url, alt) {
  part(`${selector} .stage`).replaceChildren(stagedPicture(url, alt));
}

/** Draws a grid over a photo, or over the part of it that was searched. */
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

/** From clear over red to yellow: seen by those who do not see red, as it also gets lighter. */
function colourOf(warmth) {
  const w = Math.min(Math.max(warmth, 0), 1);
  return [235, Math.round(40 + 190 * w), Math.round(60 - 40 * w), Math.round(215 * w ** 1.3)];
}
