// Shows errors, with a retry button or a field for a key. The text is the service's, except where
// that is about HTTP requests.

import { hasKey, keepKey } from "./http.js";

const box = document.getElementById("problem");
const form = document.getElementById("key-form");
const again = box.querySelector("button");
const part = (selector) => box.querySelector(selector);
const DOING = document.body.dataset.doing; // what this page is for
// Labels of parameters on the pages.
const FIELDS = {
  filter: "Condition",
  boost: "Boost",
  diversify: "Interleave by",
  dedup: "Hide near-identical photos",
  min_score: "Minimum score",
  limit: "Results per page",
  box: "Crop",
  product_id: "Product id",
  rater: "Name or initials",
};
let timer = 0;
let retry = null;

/** Shows an error. `problem`: a Problem or any Error; `repeat`: sends the request again. */
export function showProblem(problem, repeat) {
  hideProblem();
  retry = repeat;
  const { title, detail } = wordsOf(problem);
  part("strong").textContent = title;
  part("p").textContent = detail;
  part(".wait").textContent = problem.retryAfter ? `You can try again in ${problem.retryAfter} s.` : "";
  again.hidden = !problem.passing;
  form.hidden = !problem.wantsKey;
  form.querySelector("label").textContent = hasKey() ? "Another API key" : "API key";
  box.hidden = false;
  if (problem.passing) waitFor(problem.retryAfter);
  if (problem.wantsKey) form.querySelector("input").focus();
  box.scrollIntoView({ block: "nearest" });
}

/** The title and detail of a Problem or any Error, in words for users of this page. */
export function wordsOf(problem) {
  if (problem.wantsKey) return keyWordsOf(problem);
  const { title = "Something went wrong on this page", detail = problem.message } = problem;
  const named = detail.replace(/^(\w+)(?:\[\d+\])?: /, (start, name) => {
    return name in FIELDS ? `${FIELDS[name]}: ` : start;
  });
  return { title, detail: named };
}

function keyWordsOf({ status }) {
  if (status === 403) {
    const detail = `Enter a key that allows ${DOING}, or ask the operator of this service for one.`;
    return { title: `This API key does not allow ${DOING}`, detail };
  }
  if (!hasKey()) {
    const detail = "Enter your API key below. If you have none, ask the operator of this service for one.";
    return { title: "An API key is needed", detail };
  }
  const detail = "Check the key and enter it again, or ask the operator of this service for another.";
  return { title: "This API key is not valid", detail };
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
  const key = input.value.trim();
  if (!key) return;
  keepKey(key);
  input.value = "";
  retry();
});
