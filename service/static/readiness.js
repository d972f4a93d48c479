// The collections of the service, and waiting until they can be searched.

import { getReadiness } from "./api.js";
import { showNotice } from "./view.js";

const RETRY_MS = 1000;

let collections = [];

/** Resolves when no collection is starting any more; shows a notice meanwhile. */
export const ready = untilReady();

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

async function untilReady() {
  for (;;) {
    const readiness = await getReadiness().catch((problem) => problem);
    if (settled(readiness)) {
      collections = readiness.collections;
      return;
    }
    showNotice(waitingFor(readiness));
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** Whether no collection is starting; failed ones do not delay the others. */
function settled({ ready: all, collections: states = [] }) {
  return all || (states.length > 0 && states.every(({ status }) => status !== "starting"));
}

function waitingFor({ status, title }) {
  if (status === "starting") return "The service is starting. This takes a few seconds…";
  return `${title ?? `The service is not ready (${status})`}. Retrying…`;
}
