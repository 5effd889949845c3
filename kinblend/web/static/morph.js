// Father → child → mother, from one strip of pictures; between two of them, both are shown.

import { call } from "./api.js";

const canvas = document.getElementById("morph-picture");
const slider = document.getElementById("morph-slider");
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
  canvas.hidden = value === 0 || strip === null;
  slider.setAttribute("aria-valuetext", value === 0 ? "the child" : `${Math.abs(value)} % towards the ${value < 0 ? "father" : "mother"}`);
  if (canvas.hidden) return;
  const side = strip.height;
  const last = strip.width / side - 1;
  const place = ((value + 100) / 200) * last;
  const first = Math.floor(place);
  const brush = canvas.getContext("2d");
  brush.imageSmoothingQuality = "high";
  brush.globalAlpha = 1;
  brush.drawImage(strip, first * side, 0, side, side, 0, 0, canvas.width, canvas.height);
  if (first === last) return;
  brush.globalAlpha = place - first;
  brush.drawImage(strip, (first + 1) * side, 0, side, side, 0, 0, canvas.width, canvas.height);
}
