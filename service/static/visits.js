// The searches of this visit, by entry of the browser's history. A URL cannot contain a photo, so
// every search is also kept in memory, for back and forward.

const visited = new Map();
let visit = Date.now(); // keys are unique across page loads

/** Records the first search. */
export function begin(search) {
  visited.set(visit, search);
  history.replaceState({ visit }, "");
}

/** Adds a search to the history. */
export function push(search, address) {
  visit += 1;
  visited.set(visit, search);
  history.pushState({ visit }, "", address);
}

/** Stores the scroll position and focus in a search before another one is shown. */
export function leave(search) {
  search.scroll = window.scrollY;
  search.left = document.activeElement?.dataset.product;
}

/** Restores the scroll position and focus of a search. */
export function restore({ scroll, left }) {
  const link = left && document.querySelector(`a[data-product="${CSS.escape(left)}"]`);
  if (link) link.focus({ preventScroll: true });
  window.scrollTo(0, scroll ?? 0);
}

/** The search of the current entry, if it is of this visit. */
export function arrived() {
  return visited.get(history.state?.visit);
}
