// Shows errors in the service's words, with a retry button or a field for a key.

import { hasKey, keepKey } from "./api.js";

const box = document.getElementById("problem");
const form = document.getElementById("key-form");
const again = box.querySelector("button");
const part = (selector) => box.querySelector(selector);
let timer = 0;
let retry = null;

/** Shows an error. `problem`: a Problem or any Error; `repeat`: sends the request again. */
export function showProblem(problem, repeat) {
  hideProblem();
  retry = repeat;
  part("strong").textContent = problem.title ?? "Something went wrong on this page";
  part("p").textContent = problem.detail ?? problem.message;
  part(".wait").textContent = problem.retryAfter ? `You can try again in ${problem.retryAfter} s.` : "";
  again.hidden = !problem.passing;
  form.hidden = !problem.wantsKey;
  form.querySelector("label").textContent = hasKey() ? "Another API key" : "API key";
  box.hidden = false;
  if (problem.passing) waitFor(problem.retryAfter);
  if (problem.wantsKey) form.querySelector("input").focus();
  box.scrollIntoView({ block: "nearest" });
}

export function hideProblem() {
  clearTimeout(timer);
  box.hidden = true;
  form.hidden = true;
}

/** Enables the retry button after the time in Retry-After. */
function waitFor(seconds) {
  again.setAttribute("aria-disabled", String(seconds > 0));
  timer = setTimeout(() => again.setAttribute("aria-disabled", "false"), 1000 * seconds);
}

again.addEventListener("click", () => again.getAttribute("aria-disabled") === "true" || retry());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const input = form.querySelector("input");
  keepKey(input.value.trim());
  input.value = "";
  retry();
});
