// Products as cards: a picture and attributes. Merchant data is inserted as text only.

const WIDTHS = [160, 320, 640]; // of the thumbnails that the service makes
const PICTURE = 480; // width and height attributes: any square, which reserves the space
const template = document.getElementById("card");

/** The card of a result. `href`: search for similar products; `shared`: rank in the other column. */
export function cardOf(result, { href, why, shared }) {
  const item = template.content.cloneNode(true).firstElementChild;
  const link = item.querySelector("a");
  const title = titleOf(result);
  link.href = href;
  link.dataset.product = result.product_id;
  link.setAttribute("aria-label", `More like ${title}`);
  link.append(thumbnail(result, title));
  item.querySelector(".facts").append(...factsOf(result.attributes, title));
  item.querySelector("data").value = result.score;
  item.querySelector("data").textContent = result.score.toFixed(3);
  if (result.boost) item.querySelector(".score").append(` ${signed(result.boost)}`);
  const button = item.querySelector("button");
  button.hidden = !why;
  button.setAttribute("aria-label", `Why ${title}?`);
  if (shared) item.querySelector(".foot").append(element("span", "badge", shared));
  return item;
}

/** The thumbnail of a product in a grid, in the width that the screen needs. */
function thumbnail({ thumbnail_url: url }, title) {
  const image = picture(url, title);
  if (image instanceof HTMLImageElement) {
    image.sizes = "auto, (max-width: 799px) 46vw, 230px";
    image.srcset = WIDTHS.map((width) => `${resized(url, width)} ${width}w`).join();
  }
  return image;
}

/** The address of a thumbnail of another width. */
export function resized(url, width) {
  return url?.replace(/\bwidth=\d+$/, `width=${width}`);
}

/** A picture, replaced by text if it cannot be loaded. */
export function picture(url, alt, fallback = "No picture") {
  const missing = () => element("span", "missing", fallback);
  if (!isPicture(url)) return missing();
  const image = Object.assign(new Image(PICTURE, PICTURE), { alt, loading: "lazy" });
  image.decoding = "async";
  image.onerror = () => image.replaceWith(missing());
  image.src = url;
  return image;
}

/** A picture that loads at once and fills its stage. */
export function stagedPicture(url, alt, fallback) {
  const image = picture(url, alt, fallback);
  image.loading = "eager";
  image.addEventListener("load", () => {
    const { naturalWidth: width, naturalHeight: height } = image;
    image.closest(".stage")?.style.setProperty("--ratio", width / height);
  });
  return image;
}

export function titleOf(product) {
  return String(product.attributes?.title ?? product.product_id);
}

export function factsOf(attributes = {}, fallbackTitle) {
  const title = attributes.title ?? fallbackTitle;
  return [
    attributes.brand && element("p", "brand", attributes.brand),
    title && element("p", "title", title),
    priceOf(attributes),
    stockOf(attributes),
  ].filter(Boolean);
}

export function element(tag, className, text) {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

function isPicture(url) {
  return Boolean(url) && ["http:", "https:", "blob:"].includes(URL.parse(url, document.baseURI)?.protocol);
}

function signed(boost) {
  return `${boost > 0 ? "+" : "−"} ${Math.abs(boost).toFixed(2)}`;
}

function priceOf({ price, regular_price: regular, currency }) {
  if (typeof price !== "number") return null;
  const line = element("p", "price", money(price, currency));
  if (typeof regular === "number" && regular > price) {
    line.append(" ", element("span", "unseen", "instead of "), element("s", "", money(regular, currency)));
  }
  return line;
}

function stockOf({ in_stock: inStock }) {
  if (typeof inStock !== "boolean") return null;
  return element("p", inStock ? "stock" : "stock out", inStock ? "In stock" : "Out of stock");
}

function money(amount, currency) {
  try {
    return new Intl.NumberFormat(undefined, { style: "currency", currency }).format(amount);
  } catch {
    const plain = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 }).format(amount);
    return currency ? `${plain} ${currency}` : plain;
  }
}
