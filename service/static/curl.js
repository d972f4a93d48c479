// A search as a curl command, for developers.

import { fitsPath, similarUrl } from "./api.js";
import { hasKey } from "./http.js";
import { documentOf, parametersOf } from "./search.js";

const dialog = document.getElementById("curl");
const code = dialog.querySelector("code");
const copied = document.getElementById("copied");

/** Shows the command of a search. */
export function showCurl(query) {
  code.textContent = curlOf(query);
  copied.textContent = "";
  dialog.showModal();
}

document.getElementById("copy-curl").addEventListener("click", async () => {
  window.getSelection().selectAllChildren(code);
  // Browsers provide the clipboard on secure connections only.
  await navigator.clipboard?.writeText(code.textContent);
  copied.textContent = navigator.clipboard ? "Copied." : "Selected: press Ctrl+C.";
});

/** The command. Only the file name of a photo is known, so run it in the folder of the file. */
function curlOf(query) {
  const key = hasKey() ? ['-H "Authorization: Bearer $KEY"'] : [];
  const url = (path) => quoted(new URL(path, document.baseURI).href);
  if (!query.photo && !fitsPath(query.product)) {
    const json = ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(documentOf(query)))}`];
    return ["curl -s", ...key, ...json, url("v1/search")].join(" \\\n  ");
  }
  if (!query.photo) return ["curl -s", ...key, url(similarUrl(query))].join(" \\\n  ");
  const fields = parametersOf(query).map((pair) => `--form-string ${quoted(pair.join("="))}`);
  const photo = `-F ${quoted(`image=@${named(query.photo)}`)}`;
  return ["curl -s", ...key, photo, ...fields, url("v1/search")].join(" \\\n  ");
}

// curl interprets commas and semicolons in an unquoted file name.
function named({ name }) {
  return `"${(name || "photo.png").replace(/["\\]/g, "\\$&")}"`;
}

function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
