// A search as a command for a shell: the same request, for those who build on the service.

import { hasKey, similarUrl } from "./api.js";
import { parametersOf } from "./search.js";

const dialog = document.getElementById("curl");
const code = dialog.querySelector("code");
const copied = document.getElementById("copied");

/** Shows the command of a search, to be copied. */
export function showCurl(query) {
  code.textContent = curlOf(query);
  copied.textContent = "";
  dialog.showModal();
}

document.getElementById("copy-curl").addEventListener("click", async () => {
  window.getSelection().selectAllChildren(code);
  // Browsers have a clipboard on safe connections only.
  await navigator.clipboard?.writeText(code.textContent);
  copied.textContent = navigator.clipboard ? "Copied." : "Selected: press Ctrl+C.";
});

/** The command. A photo is only known by the name of its file: run it in that file's folder. */
function curlOf(query) {
  const key = hasKey() ? ['-H "Authorization: Bearer $KEY"'] : [];
  const url = (path) => quoted(new URL(path, document.baseURI).href);
  if (!query.photo) return ["curl -s", ...key, url(similarUrl(query))].join(" \\\n  ");
  const fields = parametersOf(query).map((pair) => `--form-string ${quoted(pair.join("="))}`);
  const photo = `-F ${quoted(`image=@${named(query.photo)}`)}`;
  return ["curl -s", ...key, photo, ...fields, url("v1/search")].join(" \\\n  ");
}

// curl itself reads commas and semicolons in a file's name, unless it is quoted.
function named({ name }) {
  return `"${(name || "photo.png").replace(/["\\]/g, "\\$&")}"`;
}

function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
