// Waiting until the collections of the service are open.

import { getReadiness } from "./http.js";

const RETRY_MS = 1000;

/** Returns the collections when none is starting any more; passes what it waits for to `show`. */
export async function untilReady(show) {
  for (;;) {
    const readiness = await getReadiness().catch((problem) => problem);
    if (settled(readiness)) return readiness.collections;
    show(waitingFor(readiness));
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
