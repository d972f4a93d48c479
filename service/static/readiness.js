// The collections of the service, and waiting until they can be searched.

import { showNotice } from "./view.js";
import { untilReady } from "./waiting.js";

let collections = [];

/** Resolves when no collection is starting any more; shows a notice meanwhile. */
export const ready = untilReady(showNotice).then((found) => {
  collections = found;
});

export function names() {
  return collections.map(({ name }) => name);
}

/** The collection of a search: from its URL, or the service's default. */
export function chosen({ collection }) {
  if (collection) return collection;
  return names().includes("default") ? "default" : (names()[0] ?? "");
}

/** The state of a collection; undefined before the service is ready. */
export function collectionOf(name) {
  return collections.find((each) => each.name === name);
}

/** A notice about limits of a collection. */
export function noticeOf(collection) {
  if (collection?.status === "mismatch") {
    return "Searching with a photo is not possible at the moment, because this collection was indexed with another model. Start from a product.";
  }
  if (collection?.status === "no_model") {
    return "Searching with a photo is not possible at the moment. Start from a product.";
  }
  if (collection && collection.status !== "ready") {
    return "This collection is not ready.";
  }
  if (collection?.photo_search === false) {
    return "This collection cannot be searched with a photo: start from a product.";
  }
  if (collection?.trained === false) {
    return "This collection uses untrained weights, for trials only: its results do not reflect similarity.";
  }
  return "";
}
