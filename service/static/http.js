// Requests to the service; the only module that fetches.

const KEY = "api-key"; // in sessionStorage: deleted when the tab is closed

/** An error of the service or the connection, with a message for people. */
export class Problem extends Error {
  constructor({ title, detail = "", status = 0, code = "", retryAfter = 0 }) {
    super(detail || title);
    Object.assign(this, { title, detail, status, code, retryAfter });
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** Whether the request needs a key or another one. */
  get wantsKey() {
    return this.status === 401 || this.status === 403;
  }
}

export function keepKey(key) {
  sessionStorage.setItem(KEY, key);
}

export function hasKey() {
  return sessionStorage.getItem(KEY) !== null;
}

/** Requests the readiness document, also while the service is not ready. */
export async function getReadiness() {
  const response = await reach("readyz", { cache: "no-store" });
  const document = await json(response);
  if (!document?.status) throw problemOf(response, document);
  return { ...document, ready: response.ok };
}

/** A form with a photo and further fields, given as pairs. */
export function formOf(photo, pairs) {
  const form = new FormData();
  form.append("image", photo);
  for (const [name, value] of pairs) form.append(name, value);
  return form;
}

/** Posts a document; returns the one that is answered. */
export function postJson(path, document, signal) {
  const headers = { "Content-Type": "application/json" };
  return request(path, { method: "POST", body: JSON.stringify(document), headers, signal });
}

/** Requests a document; undefined if the answer has none on purpose. Throws a Problem. */
export async function request(path, options) {
  const response = await reach(path, options);
  if (response.status === 204) return undefined;
  const document = await json(response);
  if (!response.ok || document === null) throw problemOf(response, document);
  return document;
}

async function reach(path, options) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options?.headers, ...(key && { Authorization: `Bearer ${key}` }) };
  try {
    return await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "The service cannot be reached",
      detail: "It did not respond. Check the connection, then try again.",
    });
  }
}

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return null;
  }
}

function problemOf(response, document) {
  return new Problem({
    title: document?.title || "Unexpected response from the service",
    detail: document?.detail || `HTTP status ${response.status}.`,
    status: response.status,
    code: document?.code,
    retryAfter: Number(response.headers.get("Retry-After")) || 0,
  });
}
