// Search by photo for the pages of a shop, with one tag: see docs/embed.md.
//
//   <script async src="https://search.shop.example/static/embed.js"
//           data-key="…" data-product-url="/products/{id}"></script>
//
// Everything is in a shadow tree, so that the styles of the page and of this do not mix.

(() => {
  const script = document.currentScript;
  const SERVICE = new URL("..", script.src); // the script is at static/embed.js
  const LONGEST_SIDE = 1024; // pixels; more than the model's input
  const WIDTHS = [160, 320, 640]; // of thumbnails
  const ATTEMPTS = 3;
  const CLICKED = "product-search"; // in sessionStorage: the query by clicked product

  const options = {
    key: "",
    collection: "",
    limit: "12",
    filter: "",
    productUrl: "", // with {id}; otherwise the attribute `link` of the product
    target: "", // selector of the element to put the button in; otherwise after the script
    button: "Search by photo",
    heading: "Products that look like your photo",
    another: "Another photo",
    close: "Close",
    searching: "Searching…",
    found: "{n} products found",
    nothing: "No product looks like this photo.",
    busy: "Many people are searching. Please try again.",
    failed: "The search did not work. Please try again.",
    ...script.dataset,
  };

  const STYLE = `
    :host { all: initial; display: inline-block; color-scheme: inherit; font-family: inherit; }
    * { box-sizing: border-box; font: inherit; }
    button { min-height: 44px; padding: 8px 16px; border: 1px solid ButtonBorder; border-radius: 8px;
      background: ButtonFace; color: ButtonText; font-size: 16px; line-height: 1.4; cursor: pointer; }
    button:hover { border-color: currentColor; }
    :focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
    svg { width: 20px; height: 20px; margin-right: 8px; vertical-align: -4px; }
    dialog { width: min(960px, 100vw - 24px); max-height: calc(100vh - 24px); padding: 20px;
      border: 1px solid; border-radius: 12px; background: Canvas; color: CanvasText;
      font-size: 16px; line-height: 1.4; }
    dialog::backdrop { background: rgb(0 0 0 / 50%); }
    header { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; }
    header img { width: 56px; height: 56px; border-radius: 8px; object-fit: cover; }
    h2 { flex: 1 1 200px; margin: 0; font-size: 20px; font-weight: 600; outline: none; }
    ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(150px, 42%), 1fr));
      gap: 16px; margin: 0; padding: 0; list-style: none; }
    a { display: block; color: inherit; text-decoration: none; overflow-wrap: anywhere; }
    a[href]:hover .title { text-decoration: underline; }
    li img { display: block; width: 100%; height: auto; aspect-ratio: 1; margin-bottom: 6px; border-radius: 8px;
      background: #fff; object-fit: contain; }
    .price { font-weight: 600; }`;

  /** An element with properties and children; texts of products are inserted as text only. */
  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  const host = make("div", { className: "product-search" });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet(); // unlike <style>, allowed by any content security policy
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];

  const input = make("input", { type: "file", accept: "image/*", hidden: true });
  const open = make("button", { type: "button", part: "button" }, camera(), options.button);
  const preview = make("img", { alt: "" });
  const said = make("p", { role: "status" });
  const list = make("ul", { role: "list" }); // Safari drops the role with the bullets
  const heading = make("h2", { id: "heading", tabIndex: -1 }, options.heading);
  const another = make("button", { type: "button" }, options.another);
  const close = make("button", { type: "button" }, options.close);
  const dialog = make("dialog", { part: "dialog" },
    make("header", {}, preview, heading, another, close), said, list);
  dialog.setAttribute("aria-labelledby", "heading");
  root.append(open, input, dialog);

  function camera() {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const path = document.createElementNS(space, "path");
    const drawn = "M3 7h4l2-3h6l2 3h4v13H3zM12 9a4 4 0 1 0 0 8 4 4 0 0 0 0-8z";
    const looks = { fill: "none", stroke: "currentColor", "stroke-width": 2, "stroke-linejoin": "round" };
    for (const [name, value] of Object.entries({ ...looks, d: drawn })) path.setAttribute(name, value);
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.append(path);
    return svg;
  }

  for (const button of [open, another]) button.addEventListener("click", () => input.click());
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => running.abort());
  input.addEventListener("change", () => {
    const [photo] = input.files;
    input.value = ""; // so that the same photo can be chosen again
    if (photo) show(photo);
  });

  let running = new AbortController();

  async function show(photo) {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    URL.revokeObjectURL(preview.src);
    preview.src = URL.createObjectURL(photo);
    list.replaceChildren();
    said.textContent = options.searching;
    if (!dialog.open) dialog.showModal();
    heading.focus();
    try {
      const { query_id: query, results } = await search(await smaller(photo), signal);
      list.replaceChildren(...results.map((result) => cardOf(result, query)));
      said.textContent = results.length ? options.found.replace("{n}", results.length) : options.nothing;
    } catch (error) {
      if (!signal.aborted) said.textContent = error.message;
    }
  }

  /** The photo as an upright JPEG without metadata, of at most LONGEST_SIDE. */
  async function smaller(photo) {
    const bitmap = await createImageBitmap(photo).catch(() => null);
    if (!bitmap) return photo; // the service may read it, or tells what is wrong
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const width = Math.max(1, Math.round(scale * bitmap.width));
    const height = Math.max(1, Math.round(scale * bitmap.height));
    const canvas = make("canvas", { width, height });
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white"; // JPEG has no transparency
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
    return new Promise((resolve) => canvas.toBlob((blob) => resolve(blob ?? photo), "image/jpeg", 0.9));
  }

  async function search(photo, signal) {
    const form = new FormData();
    form.append("image", photo);
    for (const name of ["collection", "limit", "filter"]) {
      if (options[name]) form.append(name, options[name]);
    }
    for (let attempt = 1; ; attempt += 1) {
      const response = await ask("v1/search", { body: form, signal }).catch((error) => {
        throw error.name === "AbortError" ? error : new Error(options.failed);
      });
      const answer = await response.json().catch(() => ({}));
      if (response.ok) return answer;
      const busy = response.status === 429 || response.status === 503;
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      const ofPhoto = [400, 413, 415].includes(response.status);
      if (!busy) throw new Error((ofPhoto && answer.detail) || options.failed);
      if (attempt === ATTEMPTS || seconds > 5) throw new Error(options.busy);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      signal.throwIfAborted();
    }
  }

  function ask(path, { headers, ...request }) {
    const key = options.key && { Authorization: `Bearer ${options.key}` };
    const sent = { method: "POST", credentials: "omit", ...request, headers: { ...key, ...headers } };
    return fetch(new URL(path, SERVICE), sent);
  }

  function cardOf({ product_id: id, thumbnail_url: url, attributes }, query) {
    const picture = make("img", { alt: "", loading: "lazy", width: 320, height: 320 });
    const sized = (width) => new URL(url.replace(/\d+$/, width), SERVICE).href;
    picture.sizes = "(max-width: 600px) 42vw, 170px";
    picture.srcset = WIDTHS.map((width) => `${sized(width)} ${width}w`).join();
    picture.src = sized(320);
    const title = make("div", { className: "title" }, String(attributes.title ?? id));
    const link = make("a", { part: "product" }, picture, title);
    if (typeof attributes.price === "number") {
      link.append(make("div", { className: "price" }, money(attributes)));
    }
    const address = addressOf(id, attributes.link);
    if (address) link.href = address;
    const clicked = () => {
      remember(id, query);
      send("click", id, query);
    };
    link.addEventListener("click", clicked);
    link.addEventListener("auxclick", ({ button }) => button === 1 && clicked()); // a new tab
    return make("li", {}, link);
  }

  function addressOf(id, link) {
    if (options.productUrl) return options.productUrl.replace("{id}", encodeURIComponent(id));
    return /^https?:/i.test(link) ? link : "";
  }

  function money({ price, currency }) {
    const style = /^[A-Z]{3}$/.test(currency) ? { style: "currency", currency } : {};
    const written = (language) => new Intl.NumberFormat(language, style).format(price);
    try {
      return written(document.documentElement.lang || undefined);
    } catch {
      return written(); // `lang` is not a language tag, such as en_US
    }
  }

  function queries() {
    try {
      return JSON.parse(sessionStorage.getItem(CLICKED)) ?? {};
    } catch {
      return {}; // the browser blocks the storage
    }
  }

  function remember(id, query) {
    try {
      sessionStorage.setItem(CLICKED, JSON.stringify({ ...queries(), [id]: query }));
    } catch {
      // Blocked or full: what comes of the click is not reported.
    }
  }

  /** Reports what the shopper did with a product that was clicked in the results. */
  function report(action, id) {
    const query = queries()[id];
    if (query) send(action, id, query); // otherwise the shopper found the product in another way
  }

  function send(action, id, query) {
    const body = JSON.stringify({ query_id: query, product_id: id, action });
    const headers = { "Content-Type": "application/json" };
    ask("v1/events", { body, headers, keepalive: true }).catch(() => {}); // of no concern to shoppers
  }

  function mount() {
    const target = options.target ? document.querySelector(options.target) : null;
    if (target) target.append(host);
    else if (script.isConnected && document.body.contains(script)) script.after(host);
    else document.body.append(host);
  }

  window.productSearch = { report };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mount);
  else mount();
})();
