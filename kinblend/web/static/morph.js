// Father → child → mother, from one strip of pictures; between two of them, both are shown.

import { call } from "./api.js";

const canvas = document.getElementById("morph-picture");
const slider = document.getElementById("morph-slider");
const title = document.getElementById("child-title");
const CHILD = title.textContent;
let strip = null;
let controller = null;

slider.addEventListener("input", draw);

// Another child: back to the middle, and the strip is fetched anew. Returns once it is there.
export async function follow(address) {
  rest();
  const mine = (controller = new AbortController());
  try {
    const fetched = await createImageBitmap(await (await call(address, { signal: mine.signal })).blob());
    if (mine.signal.aborted) return;
    strip = fetched;
    slider.disabled = false;
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

// A picture without a strip of its own: the slider waits in the middle.
export function rest() {
  controller?.abort(); // nobody waits for the strip of a child that is no longer shown
  strip?.close();
  strip = null;
  slider.value = 0;
  slider.disabled = true;
  draw();
}

function draw() {
  const value = Number(slider.value);
  const away = value !== 0 && strip !== null;
  canvas.hidden = !away;
  // What is said about the child is not true of a picture between it and a parent.
  document.getElementById("child").classList.toggle("morphing", away);
  title.textContent = away ? between(value) : CHILD;
  slider.setAttribute("aria-valuetext", away ? `${Math.abs(value)} % towards the ${parentAt(value)}` : "the child");
  if (away) paint((value + 100) / 200);
}

const parentAt = (value) => (value < 0 ? "father" : "mother");

function between(value) {
  const parent = parentAt(value);
  return Math.abs(value) === 100 ? `The ${parent}, redrawn` : `Between the child and the ${parent}`;
}

// share: of the way from the father to the mother.
function paint(share) {
  const side = strip.height;
  const last = strip.width / side - 1;
  const place = share * last;
  const first = Math.floor(place);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingQuality = "high";
  brush.globalAlpha = 1;
  brush.drawImage(strip, first * side, 0, side, side, 0, 0, canvas.width, canvas.height);
  if (first === last) return;
  brush.globalAlpha = place - first;
  brush.drawImage(strip, (first + 1) * side, 0, side, side, 0, 0, canvas.width, canvas.height);
}
