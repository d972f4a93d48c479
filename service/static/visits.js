// The searches of this visit, by the entries of the browser's history. Product searches live in
// the URL; photos cannot, so every search is also kept in memory, for back and forward.

const visited = new Map();
let visit = Date.now(); // keys of this load never meet those of an earlier one

/** The search that the page opened with. */
export function begin(search) {
  visited.set(visit, search);
  history.replaceState({ visit }, "");
}

/** Makes a search the newest entry of the history. */
export function push(search, address) {
  visit += 1;
  visited.set(visit, search);
  history.pushState({ visit }, "", address);
}

/** Remembers in a search where the reader was, before another one takes the page. */
export function leave(search) {
  search.scroll = window.scrollY;
  search.left = document.activeElement?.dataset.product;
}

/** Takes the reader, once a search is shown again, to where they were in it. */
export function restore({ scroll, left }) {
  const link = left && document.querySelector(`a[data-product="${CSS.escape(left)}"]`);
  if (link) link.focus({ preventScroll: true });
  window.scrollTo(0, scroll ?? 0);
}

/** The search of the entry that the browser is at, if it is of this visit. */
export function arrived() {
  return visited.get(history.state?.visit);
}
