// The endpoints of the service that the search page uses.

import { formOf, postJson, request } from "./http.js";
import { documentOf, parametersOf } from "./search.js";

/** Requests one page of products similar to the search's photo or product. */
export function search(query, signal) {
  if (!query.photo && !fitsPath(query.product)) return postJson("v1/search", documentOf(query), signal);
  if (!query.photo) return request(similarUrl(query), { signal });
  const body = formOf(query.photo, parametersOf(query));
  return request("v1/search", { method: "POST", body, signal });
}

/** Counts attribute values among the products that match the filters; `product` is any of them. */
export async function countValues(product, facets, { collection, filters }, signal) {
  const query = { product_id: product, collection, filter: filters, facets, limit: 1 };
  return (await postJson("v1/search", query, signal)).facets;
}

/** Whether the URL path can contain the id: browsers resolve `%2E` and `%2E%2E` like `.` and `..`. */
export function fitsPath(product) {
  return product !== "." && product !== "..";
}

/** The URL of the products similar to a product. */
export function similarUrl(query) {
  const { box, ...rest } = query; // a box applies to photos only
  const parameters = new URLSearchParams(parametersOf(rest));
  return `v1/products/${encodeURIComponent(query.product)}/similar?${parameters}`;
}

/** Requests one product: attributes and images. */
export async function getProduct(id, collection, signal) {
  if (!fitsPath(id)) return findProduct(id, collection, signal);
  const parameters = collection ? `?${new URLSearchParams({ collection })}` : "";
  return request(`v1/products/${encodeURIComponent(id)}${parameters}`, { signal });
}

/** The same through a search: a product is among the results most similar to itself. */
async function findProduct(id, collection, signal) {
  const { results } = await postJson("v1/search", { product_id: id, collection }, signal);
  const found = results.find((result) => result.product_id === id);
  return { product_id: id, attributes: found?.attributes, images: found ? [found] : [] };
}

/** Requests two heat maps that show where the query (photo or product) and a result are similar. */
export function explain({ photo, product, collection, box }, result, signal) {
  if (!photo) return postJson("v1/explain", { product_id: product, result, collection }, signal);
  const pairs = [["result", result], ["collection", collection], ...(box ? [["box", box]] : [])];
  return request("v1/explain", { method: "POST", body: formOf(photo, pairs), signal });
}

/** Reads the features of this service from its OpenAPI document. */
export async function getAbilities() {
  const { paths = {} } = await request("openapi.json");
  const parameters = paths["/v1/search"]?.post?.parameters ?? [];
  const described = (name) => parameters.find((each) => each.name === name);
  return {
    filter: Boolean(described("filter")),
    facets: Boolean(described("facets")),
    order: ["boost", "dedup", "diversify"].every(described),
    findsBox: JSON.stringify(described("box") ?? "").includes("auto"),
    explain: Boolean(paths["/v1/explain"]),
  };
}
