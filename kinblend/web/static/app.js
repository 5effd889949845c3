// The page: two parents, their children, and what can be changed about each.

import * as ages from "./ages.js";
import { call, finished, place, send } from "./api.js";
import * as choices from "./choices.js";
import "./dialogs.js";
import * as morph from "./morph.js";
import { complain, hush, say } from "./notices.js";
import { mark } from "./sliders.js";
import { PhotoTile, takePasted } from "./parents.js";
import * as session from "./session.js";
import * as siblings from "./siblings.js";
import * as stage from "./stage.js";
import * as strategies from "./strategies.js";

const STAGES = { detect: "Finding the faces", encode: "Reading the faces", blend: "Mixing them", edit: "Setting age and looks", render: "Drawing", compare: "Comparing" };
const SETTLED = 600; // ms without a change until the picture is made in full

const byId = (id) => document.getElementById(id);
const make = byId("make");
const count = byId("count");
const different = byId("different");
const progress = byId("progress");
const parents = ["father", "mother"].map((role) => new PhotoTile(byId(role), changedParent));
const [father, mother] = parents;

// A child: { name, recipe, made, late }. recipe: all that it is made by, its seed with it. made: what the server
// answered. late: whether the recipe, or a parent, has changed since.
let children = [];
let shown = null; // the one on the stage
let born = 0; // how many there ever were: seeds and names are given once
let controller = null; // of the orders in progress
let timer = 0;
let cause = null; // the control that was moved last
let previewing = false;
let changedSince = false;

const bothReady = () => parents.every((parent) => parent.ready);

// ---- Making

function changedParent() {
  make.disabled = !bothReady();
  say("");
  if (!bothReady() || !children.length) return keep();
  session.step();
  ages.forget();
  for (const child of children) child.late = true;
  cause = null;
  keep();
  return work();
}

// Everyone who is late, in full: the child on the stage first.
async function work() {
  controller?.abort();
  clearTimeout(timer);
  const mine = (controller = new AbortController());
  begin();
  try {
    for (let child = nextLate(); child; child = nextLate()) await makeInFull(child, mine.signal);
  } catch (error) {
    if (error.name === "AbortError" || mine !== controller) return;
    dropUnmade();
    await explain(error);
  } finally {
    if (mine === controller) end();
  }
}

// Whoever could not be made, and never was, is not in the family.
function dropUnmade() {
  children = children.filter(({ made }) => made);
  if (!children.includes(shown)) {
    shown = children.at(-1) ?? null;
    if (shown) choices.write(shown.recipe);
  }
  drawSiblings();
  keep();
}

const nextLate = () => (shown?.late ? shown : children.find((child) => child.late));

async function makeInFull(child, signal) {
  const answer = await place(orderOf(child), signal);
  const done = await finished(answer, (heard) => tell(heard, child), signal);
  if (signal.aborted) throw new DOMException("no longer wanted", "AbortError");
  child.made = { ...done.children[0], id: done.id, bundle: done.bundle, warnings: done.warnings };
  child.late = false;
  if (child === shown) await present();
  drawSiblings();
  keep();
}

function orderOf({ recipe }) {
  return { ...recipe, father: father.photo.id, mother: mother.photo.id };
}

async function present() {
  const there = await stage.show(shown);
  reveal();
  there.ready.catch((error) => complain(error.message));
}

function begin() {
  progress.hidden = false;
  progress.value = 0;
  make.disabled = true;
  say("Waiting for its turn…");
  drawSiblings();
}

function end() {
  progress.hidden = true;
  make.disabled = !bothReady();
  if (!byId("status").classList.contains("bad") && !nextLate()) say("");
}

function tell({ stage: at, ahead, status }, child) {
  const left = children.filter(({ late }) => late).length;
  const whose = left > 1 ? `${child.name}, ${left} to go: ` : "";
  if (status === "queued") return say(ahead ? `${ahead} ahead of you…` : "Next…");
  progress.value = Object.keys(STAGES).indexOf(at);
  return say(`${whose}${STAGES[at] ?? at}…`);
}

// A photograph that is gone is missed where it was; everything else is told beside what led to it.
async function explain(error) {
  if (error.status !== 404) return complain(error.message, cause);
  const there = await Promise.all(parents.map((parent) => parent.restore(parent.photo?.id)));
  make.disabled = !bothReady();
  return complain(there.every(Boolean) ? error.message : `The photographs are gone: ${byId("kept").textContent}`);
}

// ---- Changing the child on the stage

function changed(control) {
  hush();
  describeSiblings();
  if (!shown) return;
  cause = control;
  const { seed, siblings: apart } = shown.recipe;
  shown.recipe = { ...choices.read(), seed, siblings: apart };
  shown.late = true;
  controller?.abort();
  morph.rest();
  clearTimeout(timer);
  timer = setTimeout(work, SETTLED);
  changedSince = true;
  if (!previewing) preview();
}

// A small picture at once, the latest wish winning; the full one comes when the control rests.
async function preview() {
  previewing = true;
  try {
    while (changedSince) {
      changedSince = false;
      const child = shown;
      const blob = await (await send("/api/v1/previews", orderOf(child))).blob();
      if (child === shown) await stage.showPreview(blob);
    }
  } catch (error) {
    clearTimeout(timer);
    await explain(error);
  } finally {
    previewing = false;
  }
}

// ---- Brothers and sisters

function add(number) {
  const recipe = recipeOfNext();
  if (children.length) session.step();
  const first = children.length;
  for (let each = 0; each < number; each += 1) {
    const seed = born;
    born += 1;
    children.push({ name: `Child ${born}`, recipe: { ...recipe, seed }, made: null, late: true });
  }
  shown = children[first];
  if (first) choices.write(shown.recipe);
  describeSiblings();
  cause = null;
  keep();
  return work();
}

// The first child is made as chosen; of brothers and sisters each is to have a face of its own. A strategy that draws
// lots gives them that by itself.
function recipeOfNext() {
  const recipe = choices.read();
  if (!children.length || strategies.chosen().stochastic) return recipe;
  const apart = Number(different.value);
  return apart ? { ...recipe, siblings: apart } : { ...recipe, blender: strategies.byChance().name, blender_options: {} };
}

function describeSiblings() {
  if (!different) return;
  const [now, other] = [strategies.chosen(), strategies.byChance()];
  different.disabled = now.stochastic;
  let note = "";
  if (now.stochastic) note = `“${now.label}” gives every child another face.`;
  else if (Number(different.value) === 0) note = `“${now.label}” gives every child the same face. New brothers and sisters are made by “${other.label}”.`;
  byId("sibling-note").textContent = note;
}

// How many are wanted, if so many can be had at a time; else that is said.
function wanted() {
  const [least, most] = [Number(count.min), Number(count.max)];
  const number = Number(count.value);
  const good = count.value !== "" && Number.isInteger(number) && number >= least && number <= most;
  count.setAttribute("aria-invalid", String(!good));
  byId("count-message").textContent = good ? "" : `A whole number from ${least} to ${most}, please.`;
  return good ? number : 0;
}

function drawSiblings() {
  siblings.draw(children, shown, { pick, remove });
  const made = children.filter((child) => child.made);
  byId("get-sheet").href = `/api/v1/sheet.png?${new URLSearchParams(made.map((child) => ["order", child.made.id]))}`;
}

// Parents and children, by their names here; every order of this page is of one child.
async function printCard() {
  const made = children.filter((child) => child.made);
  const asked = made.flatMap((child) => [["order", child.made.id], ["name", child.name]]);
  hush();
  try {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await (await call(`/api/v1/card.pdf?${new URLSearchParams(asked)}`)).blob());
    link.download = "card.pdf";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    complain(error.message, byId("get-card"));
  }
}

async function pick(child) {
  shown = child;
  choices.write(child.recipe);
  hush();
  describeSiblings();
  drawSiblings();
  if (child.late || !(await isKept(child))) return work();
  if (child !== shown) return undefined;
  await present();
  return keep();
}

function remove(child) {
  session.step();
  const at = children.indexOf(child);
  children.splice(at, 1);
  if (child === shown) pick(children[Math.min(at, children.length - 1)]);
  drawSiblings();
  keep();
  say(`${child.name} was removed.`, () => history.back());
}

// What the server let go is made again, by the same recipe.
async function isKept(child) {
  try {
    await call(`/api/v1/children/${child.made.id}`);
  } catch (error) {
    child.late = true;
  }
  return !child.late;
}

byId("child-name").addEventListener("change", ({ target }) => {
  shown.name = target.value.trim() || shown.name;
  target.value = shown.name;
  drawSiblings();
  keep();
});

// ---- What outlives a reload

function keep() {
  session.keep({
    father: father.photo?.id,
    mother: mother.photo?.id,
    children: children.map(({ name, recipe, made, late }) => ({ name, recipe, made, late })),
    shown: children.indexOf(shown),
    born,
    choices: choices.read(),
  });
}

async function restore(state) {
  controller?.abort();
  clearTimeout(timer);
  hush();
  say("");
  const there = await Promise.all([father.restore(state.father), mother.restore(state.mother)]);
  children = state.children.map((child) => ({ ...child }));
  born = state.born;
  shown = children[state.shown] ?? null;
  make.disabled = !bothReady();
  choices.write(shown?.recipe ?? state.choices);
  describeSiblings();
  if (!there.every(Boolean)) say(`The photographs are gone: ${byId("kept").textContent}`);
  await Promise.all(children.filter((child) => child.made).map(isKept));
  if (!there.every(Boolean)) children = children.filter((child) => !child.late);
  shown = children.includes(shown) ? shown : children[0] ?? null;
  reveal();
  drawSiblings();
  if (shown && !shown.late) await present();
  if (nextLate() && bothReady()) await work();
}

// The page with a child, or without one.
function reveal() {
  const any = children.length > 0;
  document.body.classList.toggle("has-child", any);
  document.querySelectorAll("[data-when=child]").forEach((part) => { part.hidden = !any; });
  document.querySelectorAll("[data-when=empty]").forEach((part) => { part.hidden = any; });
  make.textContent = any ? "Add a sibling" : "Show their child";
}

// ---- Photographs from elsewhere

const couples = document.querySelectorAll(".couple");

async function example(couple) {
  for (const each of couples) each.disabled = true;
  await Promise.all(parents.map(async (parent) => parent.take(await (await call(couple.dataset[parent.role])).blob())));
  for (const each of couples) each.disabled = false;
  make.focus();
}

make.addEventListener("click", () => add(1));
byId("get-card").addEventListener("click", printCard);
byId("sibling").addEventListener("click", () => { const number = wanted(); if (number) add(number); });
count?.addEventListener("input", wanted);
different?.addEventListener("input", () => { mark(different); describeSiblings(); });
couples.forEach((couple) => couple.addEventListener("click", () => example(couple)));
takePasted(() => parents);
choices.listen(changed);
window.addEventListener("popstate", ({ state }) => { if (state) restore(state); });
describeSiblings();
if (session.wasForgotten()) say("Done. Everything is forgotten.");
else if (session.kept()) restore(session.kept());
