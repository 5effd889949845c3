// The weight map: a row for each layer, a stripe for each dimension.

import { call } from "./api.js";

const rows = document.querySelector("#heat .rows");
const fold = document.getElementById("expert");
let address = null; // of the child on the stage
let drawn = "";
let wanted = 0;

fold.addEventListener("toggle", () => follow(address));

// Another child's weights; they are fetched once somebody looks.
export function follow(next) {
  address = next;
  if (!fold.open || address === drawn) return;
  show().catch(() => { drawn = ""; });
}

async function show() {
  const mine = ++wanted;
  drawn = address;
  if (!address) {
    rows.replaceChildren("This way of passing on features has no shares to show.");
    return;
  }
  const layers = await (await call(address)).json();
  if (mine === wanted) rows.replaceChildren(...layers.map(row));
}

function row({ layer, part, share, values }) {
  const place = document.createElement("div");
  place.className = "layer";
  const words = document.createElement("p");
  const name = document.createElement("b");
  name.textContent = part ? `${layer + 1} · ${part}` : `Layer ${layer + 1}`;
  const amount = document.createElement("span");
  amount.textContent = `${Math.round(share * 100)} % father`;
  words.append(name, amount);
  const canvas = document.createElement("canvas");
  canvas.width = values.length;
  canvas.height = 1;
  canvas.setAttribute("aria-hidden", "true");
  paint(canvas, values);
  place.append(words, canvas);
  return place;
}

function paint(canvas, values) {
  const style = getComputedStyle(document.documentElement);
  const [father, middle, mother] = ["--father", "--sunk", "--mother"].map((name) => channels(style.getPropertyValue(name)));
  const brush = canvas.getContext("2d");
  const pixels = brush.createImageData(values.length, 1);
  values.forEach((value, place) => {
    const away = value / 127.5 - 1;
    const end = away > 0 ? father : mother;
    const amount = Math.abs(away) ** 0.7; // small differences show, too
    for (let channel = 0; channel < 3; channel += 1) {
      pixels.data[place * 4 + channel] = middle[channel] + (end[channel] - middle[channel]) * amount;
    }
    pixels.data[place * 4 + 3] = 255;
  });
  brush.putImageData(pixels, 0, 0);
}

const channels = (hex) => [1, 3, 5].map((place) => parseInt(hex.trim().slice(place, place + 2), 16));
