// A child and one parent; the other parent's likely face.

import { call } from "./api.js";
import "./dialogs.js";
import { complain, hush, say, warn } from "./notices.js";
import { put as show, reveal, stop, work } from "./orders.js";
import { PhotoTile, takePasted } from "./parents.js";
import * as session from "./session.js";
import { mark, put, years } from "./sliders.js";

const SETTLED = 600; // ms without a change until another picture is made
const WORDS = { female: "A woman", male: "A man" };

const byId = (id) => document.getElementById(id);
const make = byId("make");
const play = byId("play");
const age = byId("age"); // not there where the backbone knows no ages
const inverse = byId("inverse");
const sexes = [...play.querySelectorAll("[name=sex]")];
const tiles = ["known-child", "known-parent"].map((id) => new PhotoTile(byId(id), changedPerson));
const [child, parent] = tiles;
let made = null; // what the server answered
let timer = 0;

const bothReady = () => tiles.every(({ ready }) => ready);

function changedPerson() {
  make.disabled = !bothReady();
  say("");
  if (made && bothReady()) return order();
  return keep();
}

function read() {
  const found = { inverse: Number(inverse.value) };
  if (age) found.age = Number(age.value);
  const sex = sexes.find((radio) => radio.checked)?.value;
  if (sex) found.sex = sex;
  return found;
}

function write({ inverse: far = 0, age: old, sex = "" }) {
  put(inverse, far);
  if (age) put(age, old ?? age.defaultValue);
  for (const radio of sexes) radio.checked = radio.value === sex;
}

async function order(cause) {
  clearTimeout(timer);
  make.disabled = true;
  const asked = { ...read(), child: child.photo.id, parent: parent.photo.id };
  const done = await work("partners", asked, { cause, missing: restorePeople, tell: () => "Drawing…" });
  make.disabled = !bothReady();
  if (!done) return;
  made = done;
  await present();
  keep();
}

async function present() {
  await show(byId("other-picture"), made.picture);
  byId("other").querySelector(".empty").hidden = true;
  const who = WORDS[made.sex] ?? "Somebody";
  byId("other-words").textContent = made.age === null ? who : `${who} of ${years(made.age)}`;
  warn(byId("other-warnings"), made.warnings);
  byId("get-png").href = made.png;
  reveal(true);
  make.hidden = true; // whatever is moved makes another picture by itself
}

function changed({ target }) {
  mark(target);
  hush();
  if (!made) return keep();
  stop();
  clearTimeout(timer);
  timer = setTimeout(() => { if (bothReady()) order(target); }, SETTLED);
  return undefined;
}

// ---- What outlives a reload

function keep() {
  session.keep({ child: child.photo?.id, parent: parent.photo?.id, choices: read(), made });
}

async function restorePeople() {
  const state = [child.photo?.id, parent.photo?.id];
  return Promise.all(tiles.map((tile, place) => tile.restore(state[place])));
}

async function restore(state) {
  const there = await Promise.all([child.restore(state.child), parent.restore(state.parent)]);
  write(state.choices);
  make.disabled = !bothReady();
  made = state.made;
  if (!there.every(Boolean)) {
    made = null;
    make.hidden = false;
    reveal(false);
    complain(`The photographs are gone: ${byId("kept").textContent}`);
  } else if (made) {
    try {
      await call(`/api/v1/partners/${made.id}`);
      await present();
    } catch (error) {
      await order(); // what the server let go is made again
    }
  }
}

make.addEventListener("click", () => order());
play.addEventListener("submit", (event) => event.preventDefault());
play.addEventListener("input", changed);
takePasted(() => tiles);
play.querySelectorAll("input[type=range]").forEach((control) => mark(control));
window.addEventListener("popstate", ({ state }) => { if (state) restore(state); });
if (session.wasForgotten()) say("Done. Everything is forgotten.");
else if (session.kept()) restore(session.kept());
