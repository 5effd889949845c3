// The child on the stage at several ages, small and side by side; a click makes it that old.

import { call } from "./api.js";

const part = document.getElementById("ages"); // not there where the backbone knows no ages
const show = document.getElementById("show-ages");
const row = document.getElementById("at-ages");
const age = document.getElementById("age");
let address = "";
let drawn = ""; // by which recipe, but for the age
let controller = null;

show?.addEventListener("click", load);
for (const button of row?.querySelectorAll("button") ?? []) {
  button.addEventListener("click", () => {
    age.value = button.dataset.at;
    age.dispatchEvent(new Event("input", { bubbles: true }));
  });
}

// The pictures are made when they are asked for. Those of this child at another age are the same.
export function follow({ made, recipe }) {
  if (!part) return;
  address = made.ages;
  document.getElementById("get-ages").href = made.growing;
  const same = JSON.stringify({ ...recipe, age: null });
  if (same !== drawn) forget();
  drawn = same;
}

// Another child, or another parent: no picture is right any more.
export function forget() {
  if (!part) return;
  controller?.abort();
  drawn = "";
  row.hidden = true;
  show.hidden = false;
  show.disabled = false;
  say("");
}

async function load() {
  const mine = (controller = new AbortController());
  show.disabled = true;
  say("");
  try {
    const strip = await createImageBitmap(await (await call(address, { signal: mine.signal })).blob());
    if (mine.signal.aborted) return;
    draw(strip);
    const focused = document.activeElement === show || document.activeElement === document.body;
    show.hidden = true;
    row.hidden = false;
    if (focused) row.querySelector("button").focus();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message);
  } finally {
    if (!mine.signal.aborted) show.disabled = false;
  }
}

function draw(strip) {
  row.querySelectorAll("canvas").forEach((canvas, place) => {
    const side = strip.height;
    canvas.getContext("2d").drawImage(strip, place * side, 0, side, side, 0, 0, canvas.width, canvas.height);
  });
  strip.close();
}

function say(text) { part.querySelector(".message").textContent = text; }
