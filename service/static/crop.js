// The part of the photo to search: a box drawn with the pointer, or moved and resized with the
// arrow keys.

const stage = document.getElementById("stage");
const frame = document.getElementById("crop");

const LEAST = 0.05; // fraction of a side; smaller boxes are accidental
const STEP = 0.01; // fraction of a side per arrow key press; ten times as much with Shift
const PAUSE_MS = 500; // without a key press before the box is searched
const START = [0.15, 0.15, 0.85, 0.85];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// Which of x1, y1, x2, y2 each part of the frame moves.
const PARTS = { all: [1, 1, 1, 1], nw: [1, 1, 0, 0], ne: [0, 1, 1, 0], sw: [1, 0, 0, 1], se: [0, 0, 1, 1] };
const CORNERS = { nw: "Top left", ne: "Top right", sw: "Bottom left", se: "Bottom right" };

let box = null;
let pause = 0;

/** Calls `use` with each box that is drawn, or null when it is removed. */
export function listenForBoxes(use) {
  stage.addEventListener("pointerdown", (event) => drag(event, use));
  frame.addEventListener("keydown", (event) => press(event, use));
}

/** Shows a box, or hides it. */
export function showBox(shown) {
  clearTimeout(pause);
  box = shown ?? null;
  frame.hidden = !box;
  if (!box) return;
  const [left, top, right, bottom] = box.map((side) => 100 * side);
  Object.assign(frame.style, {
    left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`,
  });
  for (const [part, name] of Object.entries(CORNERS)) {
    const x = Math.round(part.endsWith("w") ? left : right);
    const y = Math.round(part.startsWith("n") ? top : bottom);
    frame.querySelector(`[data-part="${part}"]`).ariaLabel =
      `${name} corner, at ${x} % across and ${y} % down: arrow keys move it`;
  }
}

/** Shows a box in the middle and focuses a corner for the keyboard. */
export function startBox() {
  showBox(START);
  frame.querySelector('[data-part="nw"]').focus();
  return START;
}

function drag(event, use) {
  const part = event.target.dataset.part;
  // Touching the photo outside the frame scrolls the page.
  if (event.button || !event.isPrimary || (!part && event.pointerType === "touch")) return;
  const before = box;
  const from = pointOf(event);
  const moved = (at) => (part ? shifted(before, part, at[0] - from[0], at[1] - from[1]) : spanned(from, at));
  const move = (each) => showBox(moved(pointOf(each)));
  const end = (each) => {
    stage.removeEventListener("pointermove", move);
    const drawn = each.type === "pointerup" ? moved(pointOf(each)) : before;
    const meant = drawn && drawn[2] - drawn[0] >= LEAST && drawn[3] - drawn[1] >= LEAST;
    showBox(meant ? drawn : before);
    if (meant && String(box) !== String(before)) use(box);
  };
  stage.setPointerCapture(event.pointerId);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("lostpointercapture", () => stage.removeEventListener("pointermove", move), { once: true });
  for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, end, { once: true });
  if (!part) event.preventDefault();
}

function press(event, use) {
  const arrow = ARROWS[event.key];
  const part = event.target.dataset.part;
  if (event.key === "Escape") {
    use(null);
    document.getElementById("start-box").focus();
  }
  if (!arrow || !part) return;
  event.preventDefault();
  const step = STEP * (event.shiftKey ? 10 : 1);
  const meant = shifted(box, part, arrow[0] * step, arrow[1] * step);
  showBox(meant);
  pause = setTimeout(() => use(meant), PAUSE_MS);
}

/** A box with all or one corner moved, kept within the photo and at least LEAST in size. */
function shifted(from, part, dx, dy) {
  const x = axis(from[0], from[2], dx, PARTS[part][0], PARTS[part][2]);
  const y = axis(from[1], from[3], dy, PARTS[part][1], PARTS[part][3]);
  return [x[0], y[0], x[1], y[1]];
}

function axis(low, high, by, movesLow, movesHigh) {
  if (movesLow && movesHigh) {
    const bounded = clamp(by, -low, 1 - high);
    return [round(low + bounded), round(high + bounded)];
  }
  return [
    round(movesLow ? clamp(low + by, 0, high - LEAST) : low),
    round(movesHigh ? clamp(high + by, low + LEAST, 1) : high),
  ];
}

function spanned([x1, y1], [x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.max(x1, x2), Math.max(y1, y2)].map(round);
}

function pointOf({ clientX, clientY }) {
  const { left, top, width, height } = stage.getBoundingClientRect();
  return [clamp((clientX - left) / width, 0, 1), clamp((clientY - top) / height, 0, 1)];
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function round(value) {
  return Math.round(1000 * value) / 1000;
}
