// The service's HTTP interface; the only module that fetches.

/** What the service (or the network) refused, in words for people. */
export class Problem extends Error {
  constructor({ title, detail = "", status = 0, code = "" }) {
    super(detail || title);
    Object.assign(this, { title, detail, status, code });
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Products that look like a photo (a File or Blob). */
export function searchPhoto(photo, { collection, limit, offset, signal }) {
  const form = new FormData();
  form.append("image", photo);
  form.append("limit", limit);
  form.append("offset", offset);
  if (collection) form.append("collection", collection);
  return request("v1/search", { method: "POST", body: form, signal });
}

/** Products that look like a product. */
export function searchProduct(id, { collection, limit, offset, signal }) {
  const path = `v1/products/${encodeURIComponent(id)}/similar`;
  return request(path + query({ limit, offset, collection }), { signal });
}

/** One product: attributes and images. */
export function getProduct(id, { collection, signal }) {
  return request(`v1/products/${encodeURIComponent(id)}` + query({ collection }), { signal });
}

/** The readiness document, also while the service is not ready. */
export async function getReadiness() {
  const response = await reach("readyz", { cache: "no-store" });
  const document = await json(response);
  if (!document?.status) throw problemOf(response, document);
  return { ...document, ready: response.ok };
}

async function request(path, options) {
  const response = await reach(path, options);
  const document = await json(response);
  if (!response.ok || document === null) throw problemOf(response, document);
  return document;
}

async function reach(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem({
      title: "The service cannot be reached",
      detail: "Nothing came back. Check the connection, then try again.",
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
    title: document?.title || "The service gave no usable answer",
    detail: document?.detail || `HTTP status ${response.status}.`,
    status: response.status,
    code: document?.code,
  });
}

function query(parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value || value === 0);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
