// The page: two parents, a child, and what can be changed about it.

import { call, finished, place, send } from "./api.js";
import * as heat from "./heat.js";
import * as morph from "./morph.js";
import { ParentCard } from "./parents.js";
import * as choices from "./choices.js";

const STAGES = { detect: "Finding the faces", encode: "Reading them", blend: "Blending", edit: "Ageing and shaping", render: "Painting", compare: "Comparing" };
const SETTLED = 600; // ms without a change until the picture is made in full

const byId = (id) => document.getElementById(id);
const make = byId("make");
const picture = byId("child-picture");
const progress = byId("progress");
const parents = { father: new ParentCard("father", changedParent), mother: new ParentCard("mother", changedParent) };

let current = null; // { order, answer, number }: the child on the stage
let siblings = [];
let seed = 0;
let lots = null; // { blender, blender_options } a brother or sister was drawn with
let controller = null; // of the order in progress
let timer = 0;
let previewing = false;
let changedSince = false;

const bothReady = () => parents.father.photo?.ready && parents.mother.photo?.ready;

function changedParent() {
  make.disabled = !bothReady();
  say("");
  if (current && bothReady()) {
    siblings = [];
    seed = 0;
    order(1);
  }
}

function orderNow(children = 1) {
  const { father, mother } = parents;
  return { ...choices.read(), ...lots, father: father.photo.id, mother: mother.photo.id, seed, children };
}

// Children in full: progress while they are made, then everything that belongs to them.
async function order(children, placed = orderNow(children)) {
  controller?.abort();
  clearTimeout(timer);
  const mine = (controller = new AbortController());
  begin();
  try {
    const answer = await place(placed, mine.signal);
    const done = await finished(answer, tell, mine.signal);
    if (mine.signal.aborted) return;
    remember(placed, done);
    show(placed, done, 1);
    say(children > 1 ? `${children} brothers and sisters` : "");
  } catch (error) {
    if (error.name !== "AbortError" && mine === controller) say(error.message, true);
  } finally {
    if (mine === controller) end();
  }
}

function begin() {
  progress.hidden = false;
  progress.value = 0;
  make.disabled = true;
  say("Waiting for its turn…");
}

function end() {
  progress.hidden = true;
  make.disabled = !bothReady();
}

function tell({ stage, ahead, status }) {
  if (status === "queued") return say(ahead ? `${ahead} ahead of you…` : "Next…");
  progress.value = Object.keys(STAGES).indexOf(stage);
  return say(`${STAGES[stage] ?? stage}…`);
}

function say(text, bad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", bad);
}

async function show(placed, answer, number) {
  const child = answer.children[number - 1];
  current = { order: placed, answer, number };
  await put(child.picture);
  byId("child-name").textContent = nameOf(child);
  const { father, mother } = child.similarity;
  byId("similarity").replaceChildren(...similarity("father", father), ...similarity("mother", mother));
  byId("get-png").href = child.png;
  byId("get-sheet").href = answer.sheet;
  byId("get-bundle").href = answer.bundle;
  reveal();
  drawSiblings();
  heat.show(child.weights).catch(() => {});
  await morph.follow(child.morph);
}

// What was asked of a child, in words: "Their child: a girl of 8 years".
function nameOf({ sex, age }) {
  const years = age === null ? "" : `${age} year${age === 1 ? "" : "s"}`;
  if (!sex) return years ? `Their child at ${years}` : "Their child";
  return `Their child: a ${sex}${years && ` of ${years}`}`;
}

function similarity(role, value) {
  const place = document.createElement("span");
  const amount = document.createElement("b");
  amount.textContent = value.toFixed(2);
  place.append(`like ${role} `, amount);
  place.title = "Cosine between the faces' embeddings: 1 is the same picture, two strangers are at about 0.8";
  return [place];
}

function reveal() {
  document.body.classList.add("has-child");
  byId("welcome").hidden = true;
  for (const id of ["play", "morph"]) byId(id).hidden = false;
  document.querySelectorAll("#child .mark, #child .enlarge").forEach((part) => { part.hidden = false; });
  make.textContent = "Another sibling";
}

async function put(address) {
  const next = new Image();
  next.src = address;
  await next.decode();
  picture.src = address;
  picture.hidden = false;
  document.querySelector("#child .empty").hidden = true;
}

// A control moved: a small picture at once, the latest wish winning; the full one when it rests.
function changed() {
  if (!current) return;
  lots = lots && choices.read().blender === lots.blender ? lots : null;
  controller?.abort();
  morph.rest();
  clearTimeout(timer);
  timer = setTimeout(() => order(1), SETTLED);
  changedSince = true;
  if (!previewing) preview();
}

async function preview() {
  previewing = true;
  try {
    while (changedSince) {
      changedSince = false;
      const { children, ...placed } = orderNow();
      const blob = await (await send("/api/v1/previews", placed)).blob();
      const old = picture.src;
      await put(URL.createObjectURL(blob));
      if (old.startsWith("blob:")) URL.revokeObjectURL(old);
      picture.dataset.previews = Number(picture.dataset.previews ?? 0) + 1;
      say("");
    }
  } catch (error) {
    say(error.message, true);
  } finally {
    previewing = false;
  }
}

// Brothers and sisters: other seeds, by a strategy that depends on the seed.
async function more(wanted) {
  const count = Math.min(8, Math.max(1, wanted || 1));
  const strategies = await (await call("/api/v1/strategies")).json();
  const { blender } = choices.read();
  const differ = strategies.find(({ name }) => name === blender)?.stochastic;
  const other = strategies.find(({ stochastic, available }) => stochastic && available);
  lots = differ || !other ? null : { blender: other.name, blender_options: {} };
  byId("sibling-note").textContent = lots ? `“${blender}” gives every child the same face; brothers and sisters are made by “${other.name}”.` : "";
  seed = Math.max(seed, ...siblings.map((sibling) => sibling.seed)) + 1;
  await order(count);
}

function remember(placed, answer) {
  answer.children.forEach((child, place) => {
    const sibling = { placed: { ...placed, seed: child.seed }, answer, number: place + 1, seed: child.seed };
    const known = siblings.findIndex((other) => other.seed === child.seed);
    if (known >= 0) siblings[known] = sibling; else siblings.push(sibling);
  });
}

function drawSiblings() {
  const strip = byId("siblings");
  strip.hidden = siblings.length < 2;
  strip.replaceChildren(...siblings.map((sibling, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Child ${place + 1}`);
    button.setAttribute("aria-pressed", String(sibling.answer.id === current.answer.id && sibling.number === current.number));
    const image = new Image(80, 80);
    image.src = sibling.answer.children[sibling.number - 1].picture;
    image.alt = "";
    button.append(image);
    button.addEventListener("click", () => pick(sibling));
    return button;
  }));
}

function pick({ placed, answer, number }) {
  seed = placed.seed;
  lots = placed.blender === choices.read().blender ? null : { blender: placed.blender, blender_options: placed.blender_options };
  show(placed, answer, number);
}

function enlarge(image, words) {
  const large = byId("large");
  large.querySelector("img").src = image.src;
  large.querySelector("img").alt = image.alt;
  large.querySelector("p").textContent = words;
  large.showModal();
}

make.addEventListener("click", () => (current ? more(1) : order(1)));
byId("sibling").addEventListener("click", () => more(Number(byId("count").value)));
byId("forget").addEventListener("click", async () => {
  await call("/api/v1/mine", { method: "DELETE" }).catch(() => {});
  window.location.reload();
});
document.querySelectorAll(".person").forEach((card) => {
  const words = card.id === "child" ? "Synthetic image, not a photograph of a person" : `The ${card.id}, as cut out of the photograph`;
  card.querySelector(".enlarge").addEventListener("click", () => enlarge(card.querySelector("img"), words));
});
byId("large").addEventListener("click", (event) => { if (event.target === byId("large")) byId("large").close(); });
// A file dropped beside a card must not replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
choices.listen(changed);
