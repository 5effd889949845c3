// The child on the stage: its picture, who it is, whom it is like, and what can be saved of it.

import * as ages from "./ages.js";
import * as heat from "./heat.js";
import * as morph from "./morph.js";
import { warn } from "./notices.js";
import { years } from "./sliders.js";
import { labelOf } from "./strategies.js";

const byId = (id) => document.getElementById(id);
const picture = byId("child-picture");

const GROWN_UP = 18; // years, from which on a child is called a woman or a man
const GROWN = { girl: "woman", boy: "man" };

// Returns once the picture is there; `ready` of what it returns, once the morph is.
export async function show(child) {
  await put(child.made.picture);
  describe(child);
  byId("get-png").href = child.made.png;
  byId("get-bundle").href = child.made.bundle;
  byId("get-morph").href = child.made.animation;
  ages.follow(child);
  heat.follow(child.made.weights);
  return { ready: morph.follow(child.made.morph) };
}

// A small picture, until the full one is there. It counts them, for benchmarks.
export async function showPreview(blob) {
  const old = picture.src;
  await put(URL.createObjectURL(blob));
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
  picture.dataset.previews = Number(picture.dataset.previews ?? 0) + 1;
}

export function describe(child) {
  byId("child-name").value = child.name;
  byId("child-words").textContent = `${who(child.made)} · ${labelOf(child.recipe.blender)}`;
  const { resemblance } = child.made;
  warn(byId("child-warnings"), child.made.warnings);
  byId("resemblance").replaceChildren(...(resemblance ? [line("father", resemblance), line("mother", resemblance)] : []));
}

function line(role, resemblance) {
  const row = document.createElement("li");
  const name = document.createElement("b");
  name.textContent = `${role.charAt(0).toUpperCase()}${role.slice(1)}: `;
  row.append(name, resemblance[role]);
  return row;
}

// "A girl of 8 years"
function who({ sex, age }) {
  const grown = age !== null && age >= GROWN_UP;
  const person = sex ? `A ${grown ? GROWN[sex] : sex}` : "A child";
  return age === null ? `${person}, as old as the parents` : `${person} of ${years(age)}`;
}

async function put(address) {
  const next = new Image();
  next.src = address;
  await next.decode();
  picture.src = address;
  picture.hidden = false;
  document.querySelector("#child .empty").hidden = true;
}
